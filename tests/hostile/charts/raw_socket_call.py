# expect: ok
import ctypes

if ctypes.CDLL(None).socket(2, 1, 0) != -1:
    raise RuntimeError('LEAK')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
