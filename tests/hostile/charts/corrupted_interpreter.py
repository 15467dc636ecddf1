# expect: crash,timeout,exception,forbidden,exit
import ctypes

for kind in (tuple, dict, str, type(None), memoryview):
    ctypes.memset(id(kind), 0, 400)
