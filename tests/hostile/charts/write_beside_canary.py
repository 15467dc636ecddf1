# expect: forbidden,exception
open('__CANARY__.out', 'w').write('x')
