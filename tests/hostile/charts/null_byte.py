# expect: syntax_error
x = '\0'__NULL__
