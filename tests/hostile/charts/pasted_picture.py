# expect: limit
import base64

data = base64.b64decode('QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD' '__BLOB__')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
