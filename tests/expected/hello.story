  writes port 0xe0, 1 times, values 3e801244
MARK 1
  writes port 0xe0, 1 times, values 56a42fa7
  writes port 0xe9, 22 times, values 000b1aa6
MARK 2
  writes port 0xe9, 20 times, values 16b3d0d3
  writes port 0xf4, 1 times, values 9be17165
