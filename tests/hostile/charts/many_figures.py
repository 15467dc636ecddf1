# expect: memory,timeout,ok
import matplotlib.pyplot as plt

for _ in range(10_000):
    plt.figure(figsize=(50, 50)).canvas.draw()
