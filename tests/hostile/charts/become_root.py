# expect: forbidden
import os

os.setuid(0)
