"""The compiled profile, asked by system calls of forked children on the real kernel."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from containerlab.runtime import seccomp, seccomp_load, seccomp_profile

_NAMES = """AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW
    SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"""
DOCKER_DEFAULT = frozenset(f"CAP_{name}" for name in _NAMES.split())
ADMIN = DOCKER_DEFAULT | {"CAP_SYS_ADMIN"}

x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="system call numbers of x86_64")
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def docker_default() -> bytes:
    return seccomp.compile_profile(DOCKER_DEFAULT)


def under(bpf: bytes, probe: Callable[[], int]) -> int:
    """What ``probe`` returns in a child that has ``bpf`` loaded; minus the signal if one killed it."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, so that this test needs no privilege
            seccomp.load(bpf)
            os.write(write_end, str(probe()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        text = answer.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return -os.WTERMSIG(status)
    return int(text)


def call(number: int, *arguments: int) -> Callable[[], int]:
    """A probe: errno of a system call made the native way, 0 when it succeeded."""

    def probe() -> int:
        result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
        return ctypes.get_errno() if result == -1 else 0

    return probe


def i386_call(number: int, *arguments: int) -> Callable[[], int]:
    """A probe: errno of a system call made through i386's gate, ``int 0x80``, 0 when it succeeded."""
    # push rbx; mov eax, edi; mov ebx, esi; xchg ecx, edx; int 0x80; pop rbx; ret
    code = bytes.fromhex("53 89f8 89f3 87ca cd80 5b c3")

    def probe() -> int:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_uint] * 4)(address)
        padded = (*arguments, 0, 0, 0)[:3]
        result = function(number, *padded)
        return -result if result < 0 else 0

    return probe


def has_i386_gate() -> bool:
    return platform.machine() == "x86_64" and under_nothing(i386_call(20)) == 0


def under_nothing(probe: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(probe() & 0x7F)
    return os.waitpid(pid, 0)[1]


NEVER = {
    "pivot_root": 155,
    "swapon": 167,
    "nfsservctl": 180,
    "_sysctl": 156,
    "ustat": 136,
    "sysfs": 139,
    "uselib": 134,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "move_pages": 279,
    "userfaultfd": 323,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
}
ONLY_WITH_A_CAPABILITY = {
    "mount": 165,
    "umount2": 166,
    "reboot": 169,
    "sethostname": 170,
    "iopl": 172,
    "init_module": 175,
    "settimeofday": 164,
    "acct": 163,
    "unshare": 272,
    "setns": 308,
    "open_by_handle_at": 304,
    "bpf": 321,
    "perf_event_open": 298,
    "mbind": 237,
    "kcmp": 312,
    "fsopen": 430,
    "lsm_list_modules": 461,
}


@x86_64
@pytest.mark.parametrize("name", [*NEVER, *ONLY_WITH_A_CAPABILITY])
def test_what_the_profile_does_not_name_is_eperm(docker_default: bytes, name: str) -> None:
    number = {**NEVER, **ONLY_WITH_A_CAPABILITY}[name]
    assert under(docker_default, call(number, -1, -1, -1, -1, -1)) == errno.EPERM


@x86_64
def test_ordinary_calls_work(docker_default: bytes) -> None:
    for number in (39, 102, 186, 24):  # getpid, getuid, gettid, sched_yield
        assert under(docker_default, call(number)) == 0
    assert under(docker_default, lambda: int(Path("/etc/passwd").exists())) == 1


@x86_64
@pytest.mark.parametrize("number", [452, 457, 458, 462, 466])
def test_names_newer_than_the_library_reach_the_kernel(docker_default: bytes, number: int) -> None:
    """fchmodat2, statmount, listmount, mseal, removexattrat: the kernel's own errno, whatever it is."""
    expected = call(number, -1, 1, 1, 1, 1)()
    assert under(docker_default, call(number, -1, 1, 1, 1, 1)) == expected
    assert expected != errno.EPERM


@x86_64
@pytest.mark.parametrize("number", [467, 468, 469, 470, 999, 100_000])
def test_numbers_above_the_profile_are_enosys(docker_default: bytes, number: int) -> None:
    assert under(docker_default, call(number, -1)) == errno.ENOSYS


@x86_64
def test_clone3_is_enosys_so_that_libc_falls_back(docker_default: bytes) -> None:
    assert under(docker_default, call(435, 0, 0)) == errno.ENOSYS


@x86_64
@pytest.mark.parametrize("flag", [0x20000, *(0x2000000 << shift for shift in range(6))])
def test_clone_makes_no_namespace(docker_default: bytes, flag: int) -> None:
    assert under(docker_default, call(56, flag | signal.SIGCHLD, 0, 0, 0, 0)) == errno.EPERM


def test_clone_makes_processes(docker_default: bytes) -> None:
    def probe() -> int:
        pid = os.fork()
        if pid == 0:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert under(docker_default, probe) == 7


@pytest.mark.parametrize("family", [38, 40])
def test_alg_and_vsock_are_denied(docker_default: bytes, family: int) -> None:
    assert under(docker_default, lambda: socket_errno(family)) == errno.EPERM


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET, socket.AF_NETLINK, 39, 41, 44])
def test_other_families_are_the_kernels_business(docker_default: bytes, family: int) -> None:
    assert under(docker_default, lambda: socket_errno(family)) == socket_errno(family)


def socket_errno(family: int) -> int:
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
    except OSError as error:
        return error.errno or 0
    return 0


@pytest.mark.parametrize("persona", [0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF])
def test_personalities_that_docker_lets_pass(docker_default: bytes, persona: int) -> None:
    assert under(docker_default, lambda: int(libc.personality(ctypes.c_ulong(persona)) == -1)) == 0


@pytest.mark.parametrize("persona", [0x0040000, 0x0400000, 0x1, 0x10])
def test_other_personalities_are_denied(docker_default: bytes, persona: int) -> None:
    """ADDR_NO_RANDOMIZE among them: it would undo address randomisation."""

    def probe() -> int:
        return ctypes.get_errno() if libc.personality(ctypes.c_ulong(persona)) == -1 else 0

    assert under(docker_default, probe) == errno.EPERM


@pytest.mark.skipif(not has_i386_gate(), reason="this kernel has no i386 system calls")
class TestI386:
    """The same answers through ``int 0x80``, which has another table of numbers."""

    @pytest.mark.parametrize("number", [21, 217, 288, 310, 374, 425])
    def test_denied(self, docker_default: bytes, number: int) -> None:
        """mount, pivot_root, keyctl, unshare, userfaultfd, io_uring_setup."""
        assert under(docker_default, i386_call(number, 0xFFFFFFFF)) == errno.EPERM

    def test_allowed(self, docker_default: bytes) -> None:
        assert under(docker_default, i386_call(20)) == 0

    def test_socket_families(self, docker_default: bytes) -> None:
        assert under(docker_default, i386_call(359, 38, 5, 0)) == errno.EPERM
        assert under(docker_default, i386_call(359, 40, 1, 0)) == errno.EPERM
        assert under(docker_default, i386_call(359, 1, 1, 0)) == 0

    def test_clone3_and_high_numbers(self, docker_default: bytes) -> None:
        assert under(docker_default, i386_call(435)) == errno.ENOSYS
        assert under(docker_default, i386_call(467)) == errno.ENOSYS

    def test_new_names(self, docker_default: bytes) -> None:
        assert under(docker_default, i386_call(462, 1, 1, 1)) != errno.EPERM


@x86_64
def test_x32_numbers_are_filtered_too(docker_default: bytes) -> None:
    x32 = 0x40000000
    assert under(docker_default, call(x32 | 165, 0, 0, 0, 0, 0)) == errno.EPERM  # mount
    assert under(docker_default, call(x32 | 425, 0, 0)) == errno.EPERM  # io_uring_setup
    assert under(docker_default, call(x32 | 600)) == errno.ENOSYS


@x86_64
def test_a_capability_opens_its_calls() -> None:
    admin = seccomp.compile_profile(ADMIN)
    assert under(admin, call(165, 0, 0, 0, 0, 0)) == call(165, 0, 0, 0, 0, 0)()
    assert under(admin, call(461, 0, 0, 1)) != errno.EPERM
    assert under(admin, call(425, 0, 0)) == errno.EPERM


@x86_64
def test_chroot_needs_its_capability() -> None:
    without = seccomp.compile_profile(frozenset())
    assert under(without, call(161, 0)) == errno.EPERM
    assert under(seccomp.compile_profile(frozenset({"CAP_SYS_CHROOT"})), call(161, 0)) == errno.EFAULT


def test_the_filter_is_made_once_and_kept(tmp_path: Path) -> None:
    path = seccomp.profile_path(tmp_path / "cache", DOCKER_DEFAULT)
    written = path.stat().st_mtime_ns
    assert path.read_bytes() == seccomp.compile_profile(DOCKER_DEFAULT)
    assert seccomp.profile_path(tmp_path / "cache", DOCKER_DEFAULT) == path
    assert path.stat().st_mtime_ns == written
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_capabilities_without_calls_share_a_file_and_others_do_not(tmp_path: Path) -> None:
    plain = seccomp.profile_path(tmp_path, DOCKER_DEFAULT)
    assert seccomp.profile_path(tmp_path, DOCKER_DEFAULT - {"CAP_KILL"}) == plain
    assert seccomp.profile_path(tmp_path, ADMIN) != plain


def test_the_loader_needs_the_standard_library_alone() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import seccomp_load; print(sorted(sys.modules))"
    folder = str(Path(seccomp_load.__file__).parent)
    shown = subprocess.run(
        [sys.executable, "-S", "-E", "-c", program, folder], capture_output=True, text=True, check=True
    )
    assert "ctypes" in shown.stdout
    assert "containerlab" not in shown.stdout
    assert "pyseccomp" not in shown.stdout


@pytest.mark.parametrize("bpf", [b"", b"1234567", b"\0" * 8 * 4097])
def test_what_is_no_program_is_refused_before_the_kernel(bpf: bytes) -> None:
    with pytest.raises(OSError) as caught:
        seccomp.load(bpf)
    assert caught.value.errno == errno.EINVAL


def test_the_tables_are_dockers() -> None:
    assert len(seccomp_profile.ALLOWED) == 361
    conditional = {"socket", "personality", "clone", "clone3"} | seccomp_profile.SINCE_4_8
    with_capability = frozenset().union(*seccomp_profile.ALLOWED_WITH.values())
    assert not seccomp_profile.ALLOWED & (with_capability | conditional)
    assert len(seccomp_profile.ALLOWED_WITH["CAP_SYS_ADMIN"]) == 26


def test_aarch64_compiles_here_too() -> None:
    bpf = seccomp.compile_profile(DOCKER_DEFAULT, machine="aarch64")
    assert len(bpf) % 8 == 0
    assert run_bpf(bpf, arch=0xC00000B7, number=452) == 0x7FFF0000  # fchmodat2
    assert run_bpf(bpf, arch=0xC00000B7, number=172) == 0x7FFF0000  # getpid
    assert run_bpf(bpf, arch=0xC00000B7, number=40) == 0x00050001  # mount
    assert run_bpf(bpf, arch=0xC00000B7, number=467) == 0x00050000 | errno.ENOSYS
    assert run_bpf(bpf, arch=0x40000028, number=0xF0002) == 0x7FFF0000  # ARM's cacheflush
    assert run_bpf(bpf, arch=0x40000028, number=21) == 0x00050001  # ARM's mount
    assert run_bpf(bpf, arch=0xC000003E, number=39) == 0  # another machine's calls: killed


def run_bpf(bpf: bytes, *, arch: int, number: int) -> int:
    """The filter's verdict on a call without arguments: classic BPF as far as seccomp programs use it."""
    data = number.to_bytes(4, "little") + arch.to_bytes(4, "little") + bytes(56)
    at, accumulator = 0, 0
    while True:
        op = int.from_bytes(bpf[at * 8 : at * 8 + 2], "little")
        yes, no = bpf[at * 8 + 2], bpf[at * 8 + 3]
        value = int.from_bytes(bpf[at * 8 + 4 : at * 8 + 8], "little")
        at += 1
        if op == 0x06:
            return value
        if op == 0x20:
            accumulator = int.from_bytes(data[value : value + 4], "little")
        elif op == 0x54:
            accumulator &= value
        elif op == 0x05:
            at += value
        else:
            test = {0x15: accumulator == value, 0x25: accumulator > value, 0x35: accumulator >= value}
            holds = bool(accumulator & value) if op == 0x45 else test[op]
            at += yes if holds else no
