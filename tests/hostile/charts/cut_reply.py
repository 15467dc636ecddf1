# expect: exit
import json
import os
import struct

body = json.dumps({'outcome': 'ok', 'width': 100, 'height': 100}).encode()
os.write(3, struct.pack('>II', len(body), 30_000) + body + bytes(15_000))
os._exit(0)
