# expect: ok,forbidden
import os
import sys

import matplotlib.pyplot as plt

# The interpreter itself may lie under /tmp, where a checkout does.
mine = {"work", *sys.prefix.split("/tmp/")[-1].split("/")[:1]}
others = set(os.listdir("/tmp")) - mine
if others:
    raise RuntimeError(f"LEAK {others}")
plt.plot([1, 3, 2])
