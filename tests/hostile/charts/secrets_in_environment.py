# expect: ok
import os

if any('SECRET' in name for name in os.environ):
    raise RuntimeError('LEAK')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
