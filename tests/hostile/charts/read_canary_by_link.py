# expect: forbidden,exception
import os

os.symlink('__CANARY__', 'link.png')
raise RuntimeError('LEAK ' + open('link.png').read())
