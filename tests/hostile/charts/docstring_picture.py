# expect: limit
import base64


def data():
    """__BLOB__"""


base64.b64decode(data.__doc__)
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
