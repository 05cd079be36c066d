  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 22 times, values 6f00bbc1
  takes vector 0xe, 10002 times
MARK 2
  writes port 0xe0, 1 times, values f942d086
  writes port 0xe9, 22 times, values d5c246a6
  takes vector 0xe, 2453 times
MARK 3
  writes port 0xe0, 1 times, values 298b0b4c
  writes port 0xe9, 22 times, values 22c75948
  takes vector 0xe, 2460 times
MARK 9
  writes port 0xe9, 28 times, values 85f53372
  writes port 0xf4, 1 times, values 9be17165
