# expect: ok
import ctypes

ctypes.CDLL(None).getenv.restype = ctypes.c_char_p
if ctypes.CDLL(None).getenv(b'RRVF_TEST_SECRET'):
    raise RuntimeError('LEAK')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
