# expect: ok
import os

for folder, _, files in os.walk('/'):
    if 'canary.txt' in files:
        raise RuntimeError('LEAK ' + folder)
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
