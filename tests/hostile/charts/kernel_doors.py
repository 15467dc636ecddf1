# expect: ok
import ctypes

libc = ctypes.CDLL(None)
# by x86_64 number: ptrace, mount, unshare, setns, perf_event_open, bpf, keyctl, io_uring_setup, process_vm_readv,
# pidfd_open, memfd_create, userfaultfd, clone, clone3, shmget, kill
for number in (101, 165, 272, 308, 298, 321, 250, 425, 310, 434, 319, 323, 56, 435, 29, 62):
    if libc.syscall(number, 0, 0, 0, 0, 0) != -1:
        raise RuntimeError(f'LEAK {number}')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
