# expect: memory,exception
import matplotlib.pyplot as plt

figure = plt.figure(figsize=(600, 600))
figure.canvas.draw()
