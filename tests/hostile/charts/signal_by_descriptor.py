# expect: ok
import fcntl
import os

import matplotlib.pyplot as plt

# A descriptor can be told to send a signal to a process of our choice: there is none but this one.
for pid in (os.getppid(), *range(2, 200)):
    try:
        fcntl.fcntl(3, fcntl.F_SETOWN, pid)
    except OSError:
        continue
    if pid:
        raise RuntimeError(f'LEAK {pid}')
plt.plot([1, 3, 2])
