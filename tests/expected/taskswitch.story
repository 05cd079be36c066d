  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 172 times, values e684d285
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 85 times, values f6843862
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  writes port 0xe9, 171 times, values d4f47f66
  takes vector 0x50, 1 times
MARK 4
  writes port 0xe9, 9 times, values e7b3cfd8
  writes port 0xf4, 1 times, values 9be17165
  takes vector 0xd, 1 times
