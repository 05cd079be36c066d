  writes port 0x20, 1 times, values 14960454
  writes port 0x21, 4 times, values fd8d253f
  writes port 0x43, 1 times, values 1e234795
  writes port 0xa0, 1 times, values 14960454
  writes port 0xa1, 4 times, values 58b7faf1
  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 80 times, values d12bd099
  takes vector 0x81, 1 times
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 21 times, values 9259819a
  takes vector 0x6, 1 times
  takes vector 0x81, 1 times
MARK 3
  writes port 0xf4, 1 times, values 9be17165
