# expect: forbidden,exception
raise RuntimeError('LEAK ' + open('../' * 20 + '__CANARY__').read())
