# expect: forbidden
import os

os.write(3, b'\xff' * 8)
os._exit(0)
