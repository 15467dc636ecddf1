# expect: blank
import matplotlib.pyplot as plt

plt.figure()
