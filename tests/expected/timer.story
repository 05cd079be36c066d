  writes port 0x20, 1 times, values 14960454
  writes port 0x21, 5 times, values 7b557ce1
  writes port 0x40, 2 times, values e9706130
  writes port 0x43, 2 times, values 9b21fac1
  writes port 0xa0, 1 times, values 14960454
  writes port 0xa1, 4 times, values 58b7faf1
  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0x20, 10 times, values 4790a345
  writes port 0x21, 1 times, values e802ca7a
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 71 times, values a9b685d5
  takes vector 0x20, 10 times
  halts, 10 times
MARK 2
  writes port 0xe9, 20 times, values 769b90c0
  writes port 0xf4, 1 times, values 9be17165
