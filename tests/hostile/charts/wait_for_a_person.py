# expect: timeout
import matplotlib.pyplot as plt

plt.plot([1, 3, 2])
plt.pause(1000)
