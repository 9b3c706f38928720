# The facts of Python's story. A line is made plain first: no quotes, no tuples, yes and no.
s/'//g
s/\(([0-9]+),\)/\1/g
s/True/yes/g
s/False/no/g
s/^  (input_ids|attention_mask) schema: \{dtype: torch.(.*), shape: (.*), is_nested: (.*), is_non_tensor: (.*)\}/schema of \1: \2, \3, nested \4, non-tensor \5/p
s/^  Is ready: (yes|no).*/ready: \1/p
s/^  ready batch is_ready: +(.*)/a produced batch is ready: \1/p
s/^  batch.samples\[0\].fields\[input_ids\] -> .*shape: ([0-9]+),.*/sample 0 has input_ids of shape \1/p
s/^  Global indexes: \[(.*)\], Fields: \[(.*)\]/samples \1 with \2/p
s/^✓ Added fields: .*Now has: \[(.*)\]/after adding: \1/p
s/^  Extra info: \{(.*)\}/extra_info \1/p
s/^  custom_meta\[0\]: \{(.*)\}/custom_meta \1/p
s/^✓ Selected: \[(.*)\] \(original.*/select_fields: \1/p
s/^✓ Selected samples at .*indexes=\[(.*)\]/select_samples: \1/p
s/^  After:  \[(.*)\]/reorder: \1/p
s/^  Chunk [0-9]+: ([0-9]+) samples, indexes=\[(.*)\]/chunk of \1: \2/p
/^✓ Concatenated/{
  n
  s/^  Global indexes: \[(.*)\]/concat: \1/p
}
s/^✓ Unioned fields: \[(.*)\] +\(same global_indexes=\[(.*)\]\)/merged: \1 of \2/p
s/^✓ Empty: size=([0-9]+), is_ready=(.*)/empty: size \1, ready \2/p
s/^✓ Put ([0-9]+) samples into partition ([a-z_]*),.*/put \1 samples into \2/p
/^✓ Got BatchMeta from TransferQueue/{
  n
  N
  N
  N
  s/'//g
  s/.*samples: ([0-9]+)\n  Global indexes: \[(.*)\]\n  Field names: \[(.*)\]\n  Partition IDs: \[([a-z_]+),.*/fetched \1: \2 of \4 with \3/p
}
s/^  Retrieved data keys: \[(.*)\]/got only: \1/p
s/^  Global indexes in new BatchMeta: \[(.*)\]/of some samples: \1/p
