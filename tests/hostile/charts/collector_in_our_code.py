# expect: ok,exception
import gc

import matplotlib.pyplot as plt

plt.plot([1, 3, 2])
gc.set_threshold(1)
gc.callbacks.append(lambda *_: 1 / 0)
