# expect: timeout,exit
import signal
import time

import matplotlib.pyplot as plt

plt.plot([1, 3, 2])
signal.signal(signal.SIGALRM, lambda *_: time.sleep(1000))
signal.setitimer(signal.ITIMER_REAL, 1e-5, 1e-5)
