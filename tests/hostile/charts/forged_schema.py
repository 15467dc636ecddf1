# expect: forbidden
import json
import os
import struct

body = json.dumps({'outcome': 'ok', 'width': 1, 'height': 1, 'score': 100}).encode()
os.write(3, struct.pack('>II', len(body), 3) + body + b'abc')
os._exit(0)
