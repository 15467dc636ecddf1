# expect: ok
import json
import os
import struct

import numpy as np

json.dumps = json.loads = os.write = os.read = struct.pack = np.frombuffer = None
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
