# expect: forbidden,exception
for pid in ('self', *range(1, 100)):
    data = open(f'/proc/{pid}/environ', 'rb').read()
    raise RuntimeError(f'LEAK {data}')
