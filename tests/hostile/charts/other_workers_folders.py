# expect: ok,forbidden
import os

import matplotlib.pyplot as plt

others = set(os.listdir("/tmp")) - {"work"}
if others:
    raise RuntimeError(f"LEAK {others}")
plt.plot([1, 3, 2])
