# The same facts of ours.
s/^  (input_ids|attention_mask): dtype (.*), shape (.*), nested (.*), non-tensor (.*)/schema of \1: \2, \3, nested \4, non-tensor \5/p
s/^  ready: (yes|no)/ready: \1/p
s/^  produced, it is ready: (.*)/a produced batch is ready: \1/p
s/^  sample 0 of train_0 has input_ids of shape (.*)/sample 0 has input_ids of shape \1/p
s/^  1: samples (.*) with (.*); ready: (.*)/samples \1 with \2\nready: \3/p
s/^  2: with data for two fields it has (.*); ready: (.*)/after adding: \1\nready: \2/p
s/^  3: extra_info \{(.*)\}, custom_meta of the first sample \{(.*)\}/extra_info \1\ncustom_meta \2/p
s/^  4: select_fields gives (.*)/select_fields: \1/p
s/^  5: select_samples gives (.*)/select_samples: \1/p
s/^  6: reorder gives (.*)/reorder: \1/p
s/^  [67]: a chunk of ([0-9]+): ([0-9, ]*).*/chunk of \1: \2/p
s/^  8: concat gives (.*)/concat: \1/p
s/^  9: merged_with gives (.*) of (.*)/merged: \1 of \2/p
s/^  10: an empty one has size (.*); ready: (.*)/empty: size \1, ready \2/p
s/^  1: put ([0-9]+) samples into (.*)/put \1 samples into \2/p
s/^  3: fetched ([0-9]+) samples: (.*) of (.*) with (.*)/fetched \1: \2 of \3 with \4/p
s/^  4: of .* only (.*): got 1 field/got only: \1/p
s/^  5: of [0-9]+ samples: (.*); their rows are those that were put: yes/of some samples: \1/p
