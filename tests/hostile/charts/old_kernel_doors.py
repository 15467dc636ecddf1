# expect: ok
import ctypes
import mmap
import platform

libc = ctypes.CDLL(None)
if platform.machine() == 'x86_64':
    for number in (41, 39, 57):  # socket, getpid, fork by the x32 numbers
        if libc.syscall(number | 0x40000000, 2, 1, 0) != -1:
            raise RuntimeError(f'LEAK x32 {number}')
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b'\xb8\x14\x00\x00\x00\xcd\x80\xc3')  # mov eax, 20; int 0x80; ret: getpid by the 32-bit door
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    if call() >= 0:
        raise RuntimeError('LEAK int 0x80')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
