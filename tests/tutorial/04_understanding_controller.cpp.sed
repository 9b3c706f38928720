# The same facts of ours.
s/^  (train|val) has samples (.*) of (train|val) with (.*)/\1: \2 with \4/p
s/^  (two rows|three more rows|a third column for two): samples (.*) of dynamic with (.*)/put \2 with \3/p
s/^  all rows: samples (.*) of dynamic with (.*)/all \1 with \2/p
s/^  task ([AB]) asks for ([0-9]+): (.*)/task \1 asks for \2\nand gets \3/p
