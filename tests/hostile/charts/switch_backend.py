# expect: ok
import matplotlib

matplotlib.use('TkAgg')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
