# expect: ok
import ctypes

libc = ctypes.CDLL(None)
# by x86_64 number: prctl, seccomp, socketpair, vfork, execveat, tkill, tgkill, rt_sigqueueinfo, process_vm_writev, kcmp,
# pidfd_getfd, inotify_init1, fanotify_init, personality, chroot, chmod, chown, mknod, setxattr, semget, msgget, mq_open,
# timer_create, io_setup, vmsplice, splice, open_by_handle_at, fsopen, open_tree, mount_setattr, syslog, setns,
# sched_setaffinity, setpriority, memfd_secret, landlock_create_ruleset, add_key, swapon, init_module, kexec_load
for number in (157, 317, 53, 58, 322, 200, 234, 129, 311, 312, 438, 294, 300, 135, 161, 90, 92, 133, 188, 64, 68, 240,
               222, 206, 278, 275, 304, 430, 428, 442, 103, 308, 203, 141, 447, 444, 248, 167, 175, 246):
    if libc.syscall(number, 0, 0, 0, 0, 0) != -1:
        raise RuntimeError(f'LEAK {number}')
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
