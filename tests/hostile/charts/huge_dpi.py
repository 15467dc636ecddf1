# expect: ok
import matplotlib.pyplot as plt

plt.figure(dpi=1e6)
plt.plot([1, 2])  # the harness owns the resolution
