# expect: memory
data = bytearray(10 << 30)
