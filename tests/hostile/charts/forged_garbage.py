# expect: forbidden,timeout
import os

os.write(3, b'garbage!' * 100)
os._exit(0)
