# expect: limit
for number in range(100):
    with open(f'part{number}', 'wb') as file:
        file.write(bytes(10 << 20))
