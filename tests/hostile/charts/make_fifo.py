# expect: forbidden
import os

os.mkfifo('pipe')
