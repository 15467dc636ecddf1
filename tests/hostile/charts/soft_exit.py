# expect: exit
import sys

sys.exit(0)
