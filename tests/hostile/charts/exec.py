# expect: forbidden,exception
import os

os.execv('/bin/sh', ['sh'])
