# expect: ok
import os

if os.system('exit 0') == 0:
    raise RuntimeError('LEAK')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
