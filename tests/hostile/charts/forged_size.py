# expect: forbidden
import json
import os
import struct

body = json.dumps({'outcome': 'ok', 'width': 4000, 'height': 4000}).encode()
os.write(3, struct.pack('>II', len(body), 3) + body + b'abc')
os._exit(0)
