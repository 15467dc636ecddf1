# expect: limit
for number in range(1_000_000):
    open(f'f{number}', 'w').close()
