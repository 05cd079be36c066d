  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 35 times, values 5cdaaf05
MARK 2
  writes port 0xe0, 1 times, values f942d086
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  writes port 0xe9, 42 times, values 9990a97b
MARK 4
  writes port 0xe0, 1 times, values c8fa95c0
  writes port 0xe9, 33 times, values 556f322e
MARK 5
  writes port 0xe9, 31 times, values 644d297c
  writes port 0xf4, 1 times, values 9be17165
