  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 508 times, values 328e59a0
  takes vector 0xd, 24 times
  takes vector 0x81, 24 times
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 919 times, values b7f435a6
  takes vector 0x81, 18 times
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  takes vector 0xd, 5 times
  takes vector 0x81, 5 times
MARK 4
  writes port 0xe9, 49 times, values 7471a999
  writes port 0xf4, 1 times, values 9be17165
