# The facts of Python's story.
s/^  Created ([0-9]+) samples/put \1 samples/p
s/.*Data written to partition: (.*)/partition \1/p
s/.*Got metadata: ([0-9]+) samples/metadata of \1 samples/p
s/.*Global indexes: \[(.*)\]/indexes \1/p
/^    Keys: /{
  s/'//g
  s/.*\[(.*)\]/fields \1/p
}
s/.*Data matches original!/the data is what was put/p
s/.*Partition cleared/cleared/p
