  writes port 0xe0, 1 times, values 3e801244
  writes port 0xe9, 13 times, values f40d5d91
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 34 times, values 53fbc261
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 18 times, values 7e0ba252
  takes vector 0x60, 1 times
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  writes port 0xe9, 33 times, values 8ea23c9f
MARK 4
  writes port 0xe9, 35 times, values 9265348f
  writes port 0xf4, 1 times, values 9be17165
