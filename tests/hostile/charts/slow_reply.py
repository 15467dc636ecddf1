# expect: timeout
import os
import time

for _ in range(1000):
    os.write(3, b'\0')
    time.sleep(0.5)
