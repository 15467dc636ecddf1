# expect: limit
import os

while True:
    os.mkdir('deeper')
    os.chdir('deeper')
