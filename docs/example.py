"""A small chart for the README: the canvas of the nano policy, and a program of its generator."""

import matplotlib.pyplot as plt

plt.rcParams.update({"figure.figsize": (2.8, 2.24), "font.size": 8, "figure.autolayout": True})
x = ["2018", "2019", "2020", "2021"]
y = [6, 2, 7, 6]
plt.bar(x, y, color="teal")
plt.title("Monthly Region")
plt.xlabel("Year")
