# expect: ok
import os

for _ in range(1000):
    try:
        os.fork()
    except OSError:
        pass
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
