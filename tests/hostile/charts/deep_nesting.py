# expect: syntax_error,exception,crash
x = __NESTED__
