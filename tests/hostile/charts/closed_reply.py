# expect: forbidden
import os
import time

os.close(3)
time.sleep(1000)
