# expect: exception
name = input('name? ')
