# expect: forbidden,exit,timeout
import os

os.dup2(os.open('/dev/null', os.O_RDWR), 3)  # our reply would go nowhere
