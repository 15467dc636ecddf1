# expect: exception,forbidden
import socket

raise RuntimeError(f'LEAK {socket.gethostbyname("localhost.example")}')
