# expect: forbidden,exception
open('/tmp/outside', 'w').write('x')
