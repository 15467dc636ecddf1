# expect: exception,limit
import matplotlib.pyplot as plt

plt.figure(figsize=(float('inf'), 1))
plt.plot([1])
