# The same facts of ours.
s/^  ([0-9]+) samples are in (.*)/put \1 samples\npartition \2/p
s/^  metadata of ([0-9]+) samples: (.*)/metadata of \1 samples\nindexes \2/p
s/^  got the fields: (.*)/fields \1/p
s/^  (the data is what was put)/\1/p
s/^  partitions left: 0/cleared/p
