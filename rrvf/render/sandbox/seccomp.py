"""The system call filter of a chart worker: an allow list; every other call gets EPERM.

A drawing program needs only the files of its private folder, memory, time and waiting. Everything else is denied:
sockets, fork and threads, exec, kill, ptrace, mount, bpf, io_uring, perf, keyctl, shared memory, chmod, chown, and all
calls that later kernels add.
"""

from __future__ import annotations

import ctypes

import kernel

#: name:x86_64:aarch64. A dash means that the architecture lacks the call. The most frequent calls come first.
_ALLOWED = """
read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 lseek:8:62 close:3:57 close_range:436:436
dup:32:23 dup2:33:- dup3:292:24 fcntl:72:25 flock:73:32 fsync:74:82 fdatasync:75:83 ftruncate:77:46 truncate:76:45
open:2:- openat:257:56 openat2:437:437 creat:85:- stat:4:- lstat:6:- fstat:5:80 newfstatat:262:79 statx:332:291
access:21:- faccessat:269:48 faccessat2:439:439 readlink:89:- readlinkat:267:78 getdents:78:- getdents64:217:61
getcwd:79:17 chdir:80:49 fchdir:81:50
mkdir:83:- mkdirat:258:34 rmdir:84:- rename:82:- renameat:264:38 renameat2:316:276 unlink:87:- unlinkat:263:35
link:86:- linkat:265:37 symlink:88:- symlinkat:266:36 umask:95:166 statfs:137:43 fstatfs:138:44 utimensat:280:88
fadvise64:221:223 copy_file_range:326:285 sendfile:40:71
mmap:9:222 munmap:11:215 mprotect:10:226 mremap:25:216 madvise:28:233 brk:12:214 msync:26:227 mincore:27:232
rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139 rt_sigpending:127:136 rt_sigtimedwait:128:137
rt_sigsuspend:130:133 sigaltstack:131:132 alarm:37:- setitimer:38:103 getitimer:36:102 pause:34:-
poll:7:- ppoll:271:73 select:23:- pselect6:270:72 pipe:22:- pipe2:293:59 eventfd2:290:19 epoll_create1:291:20
epoll_ctl:233:21 epoll_wait:232:- epoll_pwait:281:22
futex:202:98 sched_yield:24:124 sched_getaffinity:204:123 set_robust_list:273:99 get_robust_list:274:100 rseq:334:293
set_tid_address:218:96 arch_prctl:158:- membarrier:324:283
clock_gettime:228:113 clock_getres:229:114 clock_nanosleep:230:115 nanosleep:35:101 gettimeofday:96:169 time:201:-
times:100:153 getrusage:98:165 getrlimit:97:163 sysinfo:99:179 uname:63:160
getpid:39:172 getppid:110:173 gettid:186:178 getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177
getresuid:118:148 getresgid:120:150 getgroups:115:158 getpgrp:111:- getpgid:121:155 getsid:124:156 getpriority:140:141
getrandom:318:278 exit:60:93 exit_group:231:94 restart_syscall:219:128
"""
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_IOCTL = {"x86_64": 16, "aarch64": 29}
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_HARMLESS_IOCTLS = (0x5401, 0x5450, 0x5451, 0x5421)  # TCGETS (isatty), FIONCLEX, FIOCLEX, FIONBIO

_LOAD, _JUMP_IF, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001
_NUMBER, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24  # offsets in struct seccomp_data; of an argument, the low 32 bits


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return code.to_bytes(2, "little") + bytes((if_true, if_false)) + value.to_bytes(4, "little")


def _allow_if(value: int) -> list[bytes]:
    return [_instruction(_JUMP_IF, value, 0, 1), _instruction(_RETURN, _ALLOW)]


def _allow_call_if(number: int, argument: int, values: tuple[int, ...]) -> list[bytes]:
    """Allow one call for some values of one argument, and deny it for all others."""
    body = [_instruction(_LOAD, argument), *(i for v in values for i in _allow_if(v)), _instruction(_RETURN, _EPERM)]
    return [_instruction(_JUMP_IF, number, 0, len(body)), *body]


class Filter:
    """A filter built once in the zygote. `apply` costs a child one system call."""

    def __init__(self) -> None:
        machine, column = kernel.MACHINE, 1 + list(_AUDIT_ARCH).index(kernel.MACHINE)
        numbers = [fields[column] for fields in (entry.split(":") for entry in _ALLOWED.split())]
        code = [_instruction(_LOAD, _ARCH), _instruction(_JUMP_IF, _AUDIT_ARCH[machine], 1, 0)]
        code += [_instruction(_RETURN, _EPERM), _instruction(_LOAD, _NUMBER)]
        code += [i for n in numbers if n != "-" for i in _allow_if(int(n))]
        code += _allow_call_if(_IOCTL[machine], _ARG1, _HARMLESS_IOCTLS)
        code += _allow_call_if(_PRLIMIT[machine], _ARG0, (0,))
        code += [_instruction(_RETURN, _EPERM)]
        self._code = ctypes.create_string_buffer(b"".join(code))
        self._program = _Program(len(code), ctypes.addressof(self._code))

    def apply(self) -> None:
        """Filter this process from now on. Needs no_new_privs."""
        kernel.prctl(kernel.PR_SET_SECCOMP, 2, ctypes.byref(self._program))
