# expect: limit
with open('big', 'wb') as file:
    for _ in range(10_000):
        file.write(bytes(1 << 20))
