"""Two users of one host at once: each their own engine, and nothing of one seen or reached by the other."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator

import pytest

from tests.hosting.students import Student, students

pytestmark = pytest.mark.root

_CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
_SERVE = "mkdir -p /www; echo page of {who} > /www/index.html; exec httpd -f -p 80 -h /www"


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Student]]:
    """Each has a container ``web`` that publishes its port, and a volume and a network of the same names."""
    with students(2) as found:
        for student in found:
            for words in (["volume", "create", "data"], ["network", "create", "net"]):
                assert student.lab(*words).returncode == 0
            serve = ["sh", "-c", _SERVE.format(who=student.uid)]
            done = student.lab("run", "-d", "--name", "web", "-p", "80", "lab/busybox", *serve)
            assert done.returncode == 0, done.stderr
        yield found


def _socket(student: Student) -> str:
    [found] = student.run_folder.glob("containerlab/*/engine.sock")
    return str(found)


def test_sockets_and_folders_are_their_owner_s_alone(pair: list[Student]) -> None:
    for student in pair:
        found = [*student.run_folder.glob("containerlab/*/*.sock")]
        assert found and {stat.S_IMODE(path.stat().st_mode) for path in found} <= {0o600}
        assert {path.stat().st_uid for path in found} == {student.uid}
        [run] = student.run_folder.glob("containerlab/*")
        assert [stat.S_IMODE(folder.stat().st_mode) for folder in (run, student.store)] == [0o700, 0o700]


def test_nobody_else_connects_even_where_the_folders_let_them_pass(pair: list[Student]) -> None:
    one, other = pair
    path = _socket(one)
    assert one.run(sys.executable, "-c", _CONNECT, path).returncode == 0
    assert "PermissionError" in other.run(sys.executable, "-c", _CONNECT, path).stderr
    [run] = one.run_folder.glob("containerlab/*")
    opened = [one.run_folder, run.parent, run]
    try:
        for folder in opened:
            folder.chmod(0o711)
        assert "PermissionError" in other.run(sys.executable, "-c", _CONNECT, path).stderr
    finally:
        for folder in opened:
            folder.chmod(0o700)


def test_the_same_names_are_two_things(pair: list[Student]) -> None:
    ids = []
    for student in pair:
        listed = student.lab("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}").stdout.split()
        assert listed[1:] == ["web"]
        ids.append(listed[0])
    assert ids[0] != ids[1]
    assert pair[1].lab("inspect", ids[0]).returncode != 0


def test_published_ports_are_two_and_each_leads_to_its_own(pair: list[Student]) -> None:
    ports = {student.uid: student.lab("port", "web", "80").stdout.strip() for student in pair}
    assert len(set(ports.values())) == 2
    fetch = "import sys, urllib.request as r; print(r.urlopen('http://' + sys.argv[1], timeout=30).read().decode())"
    for uid, address in ports.items():
        assert f"page of {uid}" in pair[0].run(sys.executable, "-c", fetch, address).stdout


def test_a_container_of_one_does_not_reach_the_other_s(pair: list[Student]) -> None:
    """Both engines give out the same addresses, each in a network namespace of its own."""
    [address] = {
        json.loads(student.lab("inspect", "web").stdout)[0]["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        for student in pair
    }
    for student in pair:
        ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc {address} 80"
        assert f"page of {student.uid}" in student.lab("run", "--rm", "lab/busybox", "sh", "-c", ask).stdout


def test_what_one_has_on_disk_the_other_can_not_read(pair: list[Student]) -> None:
    one, other = pair
    for path in (one.store, one.store / "volumes", one.home):
        assert other.run("ls", str(path)).returncode != 0


def test_the_end_of_one_is_not_the_other_s(pair: list[Student]) -> None:
    assert pair[0].lab("system", "reset", "-f").returncode == 0
    assert pair[1].lab("ps", "-q").stdout != ""
