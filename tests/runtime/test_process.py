"""Users, programs, directories, terminals, execs: what Docker does with them, word for word."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from containerlab.runtime.facts import open_root, processes, pss
from containerlab.runtime.identity import starttime
from containerlab.runtime.report import StageError

pytestmark = pytest.mark.root


@pytest.mark.parametrize(
    ("words", "identity"),
    [
        ("", "0 0 0 2001"),
        ("1000", "1000 1000 1000 2000 2001"),
        ("ana", "1000 1000 1000 2000 2001"),
        ("ana:lab", "1000 2000 2000"),
        ("1000:0", "1000 0 0"),
        ("4242", "4242 0 0"),
        ("+1", "1 0 0"),
        (":5", "0 5 5"),
    ],
)
def test_user_words(sandbox: Any, words: str, identity: str) -> None:
    ended = sandbox.run("sh", "-c", "echo $(id -u) $(id -g) $(id -G)", user=words)
    assert ended.out.strip() == identity


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nobody-here", "unable to find user nobody-here: no matching entries in passwd file"),
        ("0x0", "unable to find user 0x0: no matching entries in passwd file"),
        ("1000x", "unable to find user 1000x: no matching entries in passwd file"),
        ("a:b:c", "unable to find user a: no matching entries in passwd file"),
        ("ana:nogroup", "unable to find group nogroup: no matching entries in group file"),
        ("4294967296", "uids and gids must be in range 0-2147483647"),
        ("-1", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_user_words_that_are_refused(sandbox: Any, words: str, message: str) -> None:
    failed = sandbox.run("true", user=words).failed
    assert (failed.stage, failed.message) == ("user", message)


@pytest.mark.parametrize(
    ("program", "number", "message"),
    [
        ("nothing", errno.ENOENT, 'exec: "nothing": executable file not found in $PATH'),
        ("/nothing", errno.ENOENT, 'exec: "/nothing": stat /nothing: no such file or directory'),
        ("/etc/passwd", errno.EACCES, 'exec: "/etc/passwd": permission denied'),
        ("/etc", errno.EISDIR, 'exec: "/etc": is a directory'),
    ],
)
def test_programs_that_cannot_run(sandbox: Any, program: str, number: int, message: str) -> None:
    failed = sandbox.run(program).failed
    assert (failed.stage, failed.errno, failed.message) == ("exec", number, message)


def test_working_directory_is_made_and_home_comes_from_passwd(sandbox: Any) -> None:
    assert sandbox.run("sh", "-c", "pwd; echo $HOME", cwd="/a/b c", user="ana").lines == ["/a/b c", "/home/ana"]


def test_terminal_is_the_containers_own_and_its_console(sandbox: Any) -> None:
    ended = sandbox.run("sh", "-c", "tty; test -c /dev/console && echo console", tty=True)
    assert ended.out.replace("\r", "").splitlines() == ["/dev/pts/0", "console"]


def test_exec_joins_every_namespace_and_is_our_child(sandbox: Any) -> None:
    running = sandbox.start("sleep", "60", hostname="inside")
    assert sandbox.execute(running.pid, "sh", "-c", "hostname; readlink /proc/1/exe").lines == [
        "inside",
        "/bin/busybox",
    ]
    assert sandbox.execute(running.pid, "sh", "-c", "exit 9").exit_code == 9
    assert sandbox.execute(running.pid, "nothing").failed.stage == "exec"
    assert sandbox.execute(running.pid, "tty", tty=True).out.strip() == "/dev/pts/0"


def test_the_hosts_own_namespace_is_no_containers_to_join(sandbox: Any) -> None:
    """A process id that was a container's may be another process's by now."""
    failed = sandbox.run("true", network=f"/proc/{os.getpid()}/ns/net").failed
    assert (failed.stage, failed.errno) == ("namespaces", errno.ESRCH)
    with pytest.raises(StageError) as caught:
        sandbox.run("true", pid=f"/proc/{os.getpid()}/ns/pid")
    assert (caught.value.stage, caught.value.errno) == ("namespaces", errno.ESRCH)


def test_facts_of_a_live_container(sandbox: Any) -> None:
    running = sandbox.start("sleep", "60")
    assert pss([running.pid]) > 0
    assert [facts.command for facts in processes([running.pid])] == ["sleep 60"]
    root = open_root(running.pid, starttime(running.pid))
    try:
        assert Path(f"/proc/self/fd/{root}/bin").is_dir()
    finally:
        os.close(root)
    with pytest.raises(ProcessLookupError):
        open_root(running.pid, starttime(running.pid) + 1)


def test_bundle_runs_from_the_command_line(sandbox: Any) -> None:
    bundle, annotations = sandbox.bundle()
    spec = sandbox.spec("sh", "-c", "echo hi; exit 3")
    spec["annotations"].update(annotations)
    (Path(bundle) / "config.json").write_text(json.dumps(spec))
    command = [sys.executable, "-m", "containerlab", "runtime", "run", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (3, "hi\n"), done.stderr
