# expect: ok
import sys

for _ in range(1000):
    sys.stderr.write('x' * 100_000)
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
