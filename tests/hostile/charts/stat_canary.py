# expect: forbidden,exception
import os

raise RuntimeError(f'LEAK {os.stat("__CANARY__")}')
