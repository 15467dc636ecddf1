# expect: ok
import matplotlib
import matplotlib.font_manager
import matplotlib.image
import matplotlib.pyplot as plt
import networkx
import numpy as np
import pandas as pd
import PIL.Image

readers = (np.loadtxt, np.genfromtxt, np.fromfile, np.memmap, pd.read_csv, pd.read_table, pd.read_fwf, plt.imread,
           networkx.read_edgelist, matplotlib.rc_file, plt.style.use, PIL.Image.open,
           matplotlib.font_manager.get_font)
for place in ('__CANARY__', 'file://__CANARY__', 'http://127.0.0.1:__PORT__/', '/etc/passwd'):
    for read in readers:
        try:
            read(place)
        except Exception:
            continue
        raise RuntimeError(f'LEAK {read} {place}')
plt.plot([1, 3, 2])
