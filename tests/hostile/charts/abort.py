# expect: crash
import os

os.abort()
