# expect: timeout
import sys

import matplotlib.pyplot as plt

plt.plot([1, 3, 2])


def watch(frame, event, argument):
    while frame.f_code.co_filename != 'script.py':
        pass


sys.setprofile(watch)
