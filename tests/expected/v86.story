  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 29 times, values 64571d32
  takes vector 0xd, 37 times
MARK 2
  writes port 0xe9, 60 times, values bb6b470e
  writes port 0xf4, 1 times, values 9be17165
