# expect: forbidden
import socket

socket.create_connection(('127.0.0.1', __PORT__)).sendall(b'hello')
