# expect: syntax_error,exception,crash
x = __DEEP__
