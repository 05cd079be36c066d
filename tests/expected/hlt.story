  writes port 0x20, 1 times, values 14960454
  writes port 0x21, 5 times, values 7b557ce1
  writes port 0x43, 1 times, values 1e234795
  writes port 0xa0, 1 times, values 14960454
  writes port 0xa1, 4 times, values 58b7faf1
  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0x20, 1 times, values 480d5585
  writes port 0x40, 2 times, values c01353e8
  writes port 0x43, 1 times, values 1e234795
  writes port 0xe0, 1 times, values 56a42fa7
  takes vector 0x20, 1 times
  halts, 1 times
MARK 2
  writes port 0x20, 1 times, values 480d5585
  writes port 0x40, 2 times, values 8ea14b3e
  writes port 0x43, 1 times, values 1e234795
  writes port 0xe0, 1 times, values f942d086
  takes vector 0x20, 1 times
  halts, 1 times
MARK 3
  writes port 0x20, 1 times, values 480d5585
  writes port 0x40, 2 times, values c9f85253
  writes port 0x43, 1 times, values 1e234795
  writes port 0xe0, 1 times, values 265bf4e1
  takes vector 0x20, 1 times
  halts, 1 times
MARK 4
  writes port 0xf4, 1 times, values 9be17165
