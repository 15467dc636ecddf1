# expect: memory
rows = []
while True:
    rows.append('x' * 100_000)
