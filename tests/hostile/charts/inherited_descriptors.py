# expect: ok
import os

open_ones = []
for number in range(256):
    try:
        os.fstat(number)
        open_ones.append(number)
    except OSError:
        pass
if len(open_ones) > 4:
    raise RuntimeError(f'LEAK {open_ones}')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
