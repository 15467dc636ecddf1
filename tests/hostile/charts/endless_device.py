# expect: memory
open('/dev/zero', 'rb').read()
