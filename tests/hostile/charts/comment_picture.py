# expect: limit
import sys

code = sys._getframe(1).f_locals['source']  # where the interpreter keeps this text
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
# __NOISE__
