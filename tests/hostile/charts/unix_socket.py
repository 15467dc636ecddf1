# expect: forbidden
import socket

socket.socket(socket.AF_UNIX).connect('__CANARY__.sock')
