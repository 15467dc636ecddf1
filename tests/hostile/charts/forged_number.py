# expect: forbidden
import os
import struct

body = b'{"outcome": "ok", "width": ' + b'9' * 60_000 + b', "height": NaN}'
os.write(3, struct.pack('>II', len(body), 0) + body)
os._exit(0)
