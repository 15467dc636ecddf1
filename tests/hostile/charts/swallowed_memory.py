# expect: ok
try:
    bytearray(10 << 30)
except MemoryError:
    pass
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
