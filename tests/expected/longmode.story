  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 22 times, values b78e4d15
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 40 times, values e2028dd1
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  writes port 0xe9, 12 times, values c91d5fdc
MARK 4
  writes port 0xe0, 1 times, values c8fa95c0
  writes port 0xe9, 19 times, values b93b3622
MARK 5
  writes port 0xe9, 28 times, values bfcc6b55
  writes port 0xf4, 1 times, values 9be17165
