# expect: forbidden,exception
import os
import sys

os.execv(sys.executable, ['python', '-c', 'pass'])
