  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 1247 times, values 270b3879
  takes vector 0, 2 times
  takes vector 0x1, 3 times
  takes vector 0x3, 1 times
  takes vector 0x4, 1 times
  takes vector 0x5, 1 times
  takes vector 0x6, 1 times
  takes vector 0x7, 1 times
  takes vector 0xa, 1 times
  takes vector 0xb, 1 times
  takes vector 0xc, 1 times
  takes vector 0xd, 4 times
  takes vector 0xe, 4 times
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 661 times, values 30d7b1c6
  takes vector 0, 1 times
  takes vector 0x6, 1 times
  takes vector 0xd, 5 times
  takes vector 0xe, 4 times
  takes vector 0x81, 11 times
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  writes port 0xe9, 44 times, values d70e9c0d
  takes vector 0x8, 1 times
MARK 4
  writes port 0xf4, 1 times, values 9be17165
