# expect: ok
import builtins

import matplotlib.pyplot as plt

plt.plot([1, 3, 2])
for name in ('len', 'open', 'print', 'memoryview', 'min'):
    setattr(builtins, name, None)
