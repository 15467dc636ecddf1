# expect: syntax_error
I cannot see the picture.
