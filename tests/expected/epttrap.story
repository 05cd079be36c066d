  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  calls the monitor 0x3, 1 times
MARK 2
  writes port 0xe0, 1 times, values f942d086
  calls the monitor 0x3, 1 times
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  calls the monitor 0x3, 1 times
MARK 4
  writes port 0xe0, 1 times, values c8fa95c0
  calls the monitor 0x3, 1 times
MARK 5
  writes port 0xe9, 22 times, values 9d2efe12
  writes port 0xf4, 1 times, values 9be17165
