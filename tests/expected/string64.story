  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 205 times, values 58f70a58
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 142 times, values 6d00a08a
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  writes port 0xe9, 285 times, values bbfb9831
  takes vector 0xe, 5 times
MARK 4
  writes port 0xe0, 1 times, values c8fa95c0
  writes port 0xe9, 44 times, values 475a62b2
MARK 5
  writes port 0xf4, 1 times, values 9be17165
