# expect: forbidden,exception
raise RuntimeError('LEAK ' + open('/etc/passwd').read())
