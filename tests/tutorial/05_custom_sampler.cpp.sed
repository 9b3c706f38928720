# The same facts of ours.
s/^Example ([0-9]): (.*)/example \1, \2/p
s/^  added ([0-9]+) samples/\1 samples/p
/^  a batch of /{
  s/.*: (.*)/\1/
  h
  s/[0-9]+/x/g
  s/^/a batch: /p
}
/^    of the scores /{
  s/.*scores (.*)/\1/
  x
  G
  s/(.*)\n(.*)/samples \1 of the scores \2/p
}
s/^  all consumed: yes/all consumed/p
