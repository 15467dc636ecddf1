# expect: exception
raise ValueError('x' * 10_000_000)
