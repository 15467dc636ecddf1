# expect: timeout
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

plt.plot([1, 2])


def draw(*args):
    while True:
        pass


Figure.draw = draw
