# expect: forbidden
import json
import os
import struct

# Nobody asked for items: what is kept for each render would fill the machine.
body = json.dumps({'outcome': 'exception', 'items': {'text': ['x'] * 1_000_000}}).encode()
os.write(3, struct.pack('>II', len(body), 0))
while body:
    body = body[os.write(3, body):]
os._exit(0)
