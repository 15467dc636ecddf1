# expect: timeout,limit,memory
import itertools

import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

figure, axes = plt.subplots()
movie = FuncAnimation(figure, lambda i: axes.plot([i]), frames=itertools.count(), save_count=10**9)
movie.save('movie.gif', writer='pillow')
