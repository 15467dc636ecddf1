# expect: ok
import atexit
import time

atexit.register(time.sleep, 1000)
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
