# expect: forbidden,exception
raise RuntimeError('LEAK ' + open('__CANARY__').read())
