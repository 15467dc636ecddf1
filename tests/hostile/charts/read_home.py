# expect: forbidden,exception
import os

raise RuntimeError(f'LEAK {os.listdir("/root")} {os.listdir("/home")}')
