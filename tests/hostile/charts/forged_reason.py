# expect: forbidden
import json
import os
import struct

body = json.dumps({'outcome': 'judge_error'}).encode()
os.write(3, struct.pack('>II', len(body), 0) + body)
os._exit(0)
