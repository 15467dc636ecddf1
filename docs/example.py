"""A small chart for the README: the canvas of the nano policy, and a program of its generator."""

import matplotlib.pyplot as plt

plt.rcParams.update({"figure.figsize": (2.8, 2.24), "font.size": 8, "figure.autolayout": True})
x = ["2018", "2019", "2020", "2021"]
y = [88, 96, 29, 39]
z = [90, 53, 21, 15]
fig, ax = plt.subplots()
ax.bar([i - 0.2 for i in range(4)], y, 0.4, color="tab:brown", label="Output")
ax.bar([i + 0.2 for i in range(4)], z, 0.4, color="tab:olive", label="Mean")
ax.set_xticks(range(4), x)
ax.set(title="Income", xlabel="Ratio", ylabel="Error")
ax.legend()
