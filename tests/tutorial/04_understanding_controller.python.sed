# The facts of Python's story.
s/'//g
s/.*Got BatchMeta=.*field_names=\[(.*)\], is_ready=True, global_indexes=\[(.*)\], .* from partition (.*)/\3: \2 with \1/p
s/.*Got BatchMeta:? .*field_names=\[(.*)\], is_ready=True, global_indexes=\[(.*)\], .* samples$/put \2 with \1/p
s/.*Got BatchMeta:? .*field_names=\[(.*)\], is_ready=True, global_indexes=\[(.*)\], .* for newly put.*/put \2 with \1/p
s/.*All BatchMeta in controller .*field_names=\[(.*)\], is_ready=True, global_indexes=\[(.*)\], .*/all \2 with \1/p
s/^\[Task ([AB]), Get [0-9]\] Requesting ([0-9]+) .*/task \1 asks for \2/p
s/.*Got samples: \[(.*)\]/and gets \1/p
