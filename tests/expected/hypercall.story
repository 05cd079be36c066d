  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 22 times, values 66b50234
MARK 2
  writes port 0xe0, 1 times, values f942d086
  calls the monitor 0, 4 times
  calls the monitor 0x1, 1 times
  calls the monitor 0x2, 2 times
  calls the monitor 0x7fff, 2 times
MARK 3
  writes port 0xe9, 16 times, values f57c62e8
  writes port 0xf4, 1 times, values 9be17165
