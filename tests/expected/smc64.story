  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 28 times, values 1eef22e9
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 31 times, values e9bc96d5
MARK 3
  writes port 0xe0, 1 times, values 265bf4e1
  writes port 0xe9, 31 times, values 8976aaba
MARK 4
  writes port 0xe0, 1 times, values c8fa95c0
  writes port 0xe9, 32 times, values ef4e268b
MARK 5
  writes port 0xe0, 1 times, values e11eb323
  writes port 0xe9, 20 times, values c29162ea
MARK 6
  writes port 0xe0, 1 times, values 83bd5402
  writes port 0xe9, 19 times, values 62498898
MARK 7
  writes port 0xe9, 23 times, values bd2b3e55
  writes port 0xf4, 1 times, values 9be17165
