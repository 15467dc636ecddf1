# expect: limit
data = [__NUMBERS__]
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
