# expect: limit
import matplotlib.pyplot as plt

plt.figure(figsize=(1e5, 1e5))
plt.plot([1, 2])
