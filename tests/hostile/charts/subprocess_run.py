# expect: forbidden
import subprocess

subprocess.run(['/bin/sh', '-c', 'echo'])
