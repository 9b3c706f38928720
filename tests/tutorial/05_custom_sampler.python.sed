# The facts of Python's story. What random samplers choose is no fact, but how much is; what PrioritySampler chooses is
# one, for the scores leave next to no choice.
s/^Example ([0-9]): Use Customized ([A-Za-z]*) .*/example \1, \2/p
s/.* ([0-9]+) samples added/\1 samples/p
/Got samples/{
  s/.*: \[(.*)\]/\1/
  h
  s/[0-9]+/x/g
  s/^/a batch: /p
}
/Priority of sampled/{
  s/.*\[(.*)\]/\1/
  s/np.float64\(([0-9]+)\.0\)/\1/g
  x
  G
  s/(.*)\n(.*)/samples \1 of the scores \2/p
}
s/.*\(none left\)/all consumed/p
