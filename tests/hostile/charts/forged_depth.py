# expect: forbidden
import os
import struct

body = b'{"outcome": "ok", "items": {"a": ' + b'[' * 10_000 + b']' * 10_000 + b'}}'
os.write(3, struct.pack('>II', len(body), 0) + body)
os._exit(0)
