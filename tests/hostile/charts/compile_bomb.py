# expect: syntax_error,crash,memory,exception
x = __DEEP_SIGNS__1
