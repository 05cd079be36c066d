  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 60 times, values 9c16f1f6
  takes vector 0xe, 1 times
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 61 times, values fd8ea0cd
  takes vector 0xe, 1 times
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  writes port 0xe9, 53 times, values f046e4eb
  takes vector 0xe, 1 times
MARK 4
  writes port 0xf4, 1 times, values 9be17165
