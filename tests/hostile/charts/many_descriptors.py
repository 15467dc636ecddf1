# expect: limit
files = [open('f', 'w') for _ in range(10_000)]
