"""Docker's default seccomp profile, as tables: what a contained process may ask of the kernel.

Whatever is not named here is answered EPERM. The facts are those of moby's profile
(github.com/moby/profiles, seccomp/default.json, 2026-08); the grouping is ours, by what a call is for.
`seccomp.py` compiles the tables; a name stands here as libseccomp and the manual pages spell it.
"""

from __future__ import annotations

__all__ = [
    "ALLOWED",
    "ALLOWED_ON",
    "ALLOWED_WITH",
    "CLONE_NAMESPACE_FLAGS",
    "HIGHEST_NUMBER",
    "NEW_NUMBERS",
    "NEW_NUMBERS_X86_64",
    "PERSONALITIES",
    "SINCE_4_8",
]

_GROUPS: dict[str, str] = {
    "open, read and write files": """
        close close_range copy_file_range creat dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl
        fcntl64 fdatasync flock fsync ftruncate ftruncate64 ioctl _llseek lseek open openat openat2 pipe
        pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64
        splice sync sync_file_range syncfs tee truncate truncate64 vmsplice write writev""",
    "names, links and folders": """
        chdir fchdir futimesat getcwd getdents getdents64 link linkat mkdir mkdirat mknod mknodat
        name_to_handle_at readlink readlinkat rename renameat renameat2 rmdir symlink symlinkat unlink
        unlinkat utime utimensat utimensat_time64 utimes""",
    "a file's metadata": """
        access cachestat chmod chown chown32 faccessat faccessat2 fchmod fchmodat fchmodat2 fchown
        fchown32 fchownat fgetxattr flistxattr fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs
        fstatfs64 getxattr getxattrat lchown lchown32 lgetxattr listmount listxattr listxattrat
        llistxattr lremovexattr lsetxattr lstat lstat64 newfstatat removexattr removexattrat setxattr
        setxattrat stat stat64 statfs statfs64 statmount statx umask""",
    "watching": """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
        epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1
        inotify_rm_watch _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd
        signalfd4 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64""",
    "asynchronous I/O": """
        io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit
        ioprio_get ioprio_set""",
    "memory": """
        brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall
        mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free
        pkey_mprotect process_mrelease remap_file_pages""",
    "processes and threads": """
        execve execveat exit exit_group fork getcpu getpgid getpgrp getpid getppid getpriority getrlimit
        get_robust_list getrusage getsid get_thread_area gettid pidfd_open pidfd_send_signal prctl
        prlimit64 riscv_hwprobe rseq setpgid setpriority setrlimit set_robust_list setsid
        set_thread_area set_tid_address ugetrlimit uretprobe vfork wait4 waitid waitpid""",
    "scheduling": """
        sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
        sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity
        sched_setattr sched_setparam sched_setscheduler sched_yield""",
    "locks between threads": """
        futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake""",
    "signals": """
        kill pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
        rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack
        sigprocmask sigreturn tgkill tkill""",
    "time": """
        adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
        clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep
        setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
        timer_settime timer_settime64 times""",
    "sockets, except their making": """
        accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
        recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair""",
    "System V and POSIX IPC": """
        ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
        mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop
        semtimedop_time64 shmat shmctl shmdt shmget""",
    "who one is": """
        capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32
        getresgid getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid
        setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32
        setresuid setresuid32 setreuid setreuid32 setuid setuid32""",
    "the system, and sandboxing oneself": """
        getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp sysinfo uname""",
}

ALLOWED: frozenset[str] = frozenset(name for group in _GROUPS.values() for name in group.split())
"""Allowed always, whatever the arguments: 361 names."""

SINCE_4_8: frozenset[str] = frozenset({"process_vm_readv", "process_vm_writev", "ptrace"})
"""Allowed from Linux 4.8 on: before it ptrace could step around a seccomp filter."""

ALLOWED_ON: dict[str, frozenset[str]] = {
    "x86_64": frozenset({"arch_prctl", "modify_ldt"}),
    "aarch64": frozenset(
        {"arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush", "set_tls", "sync_file_range2"}
    ),
}
"""Allowed on one machine (uname -m) alone."""

_SYS_ADMIN = """
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl
    quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare"""

ALLOWED_WITH: dict[str, frozenset[str]] = {
    "CAP_BPF": frozenset({"bpf"}),
    "CAP_DAC_READ_SEARCH": frozenset({"open_by_handle_at"}),
    "CAP_PERFMON": frozenset({"perf_event_open"}),
    "CAP_SYS_ADMIN": frozenset(_SYS_ADMIN.split()),
    "CAP_SYS_BOOT": frozenset({"reboot"}),
    "CAP_SYS_CHROOT": frozenset({"chroot"}),
    "CAP_SYS_MODULE": frozenset({"delete_module", "finit_module", "init_module"}),
    "CAP_SYS_NICE": frozenset({"get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"}),
    "CAP_SYS_PACCT": frozenset({"acct"}),
    "CAP_SYS_PTRACE": frozenset(
        {"kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace"}
    ),
    "CAP_SYS_RAWIO": frozenset({"ioperm", "iopl"}),
    "CAP_SYS_TIME": frozenset({"clock_settime", "clock_settime64", "settimeofday", "stime"}),
    "CAP_SYS_TTY_CONFIG": frozenset({"vhangup"}),
    "CAP_SYSLOG": frozenset({"syslog"}),
}
"""Allowed to a container that was given this capability."""

PERSONALITIES: tuple[int, ...] = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""personality(2): Linux, Linux 32, each with UNAME26, and the question what it is now."""

CLONE_NAMESPACE_FLAGS = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET: none of them without CAP_SYS_ADMIN."""

NEW_NUMBERS: dict[str, int] = {
    "cachestat": 451,
    "fchmodat2": 452,
    "map_shadow_stack": 453,
    "futex_wake": 454,
    "futex_wait": 455,
    "futex_requeue": 456,
    "statmount": 457,
    "listmount": 458,
    "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460,
    "lsm_list_modules": 461,
    "mseal": 462,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
}
"""The profile's names that a libseccomp may be too old to know; one number on every machine
(linux/scripts/syscall.tbl)."""

NEW_NUMBERS_X86_64: dict[str, int] = {"uretprobe": 335}
"""The same, for a number of x86_64 alone (arch/x86/entry/syscalls/syscall_64.tbl)."""

HIGHEST_NUMBER = max(NEW_NUMBERS.values())
"""Above it the profile knows nothing: ENOSYS, so that a libc falls back to what it did before."""
