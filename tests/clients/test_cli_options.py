"""Options of ``run`` that share or loosen what separates a container."""

from __future__ import annotations

import json

import pytest

IMAGE = "lab/busybox"
PLAIN = ("run", "--rm", "--network", "none")


def test_joining_another_containers_network(cli, name):
    cli.ok("run", "-d", "--network", "none", "--name", name, "-h", "donor", IMAGE, "sleep", "1000")
    theirs = cli.ok("exec", name, "readlink", "/proc/self/ns/net")
    look = "readlink /proc/self/ns/net; hostname; cat /etc/hostname"
    assert cli.ok("run", "--rm", "--network", f"container:{name}", IMAGE, "sh", "-c", look).splitlines() == [
        theirs,
        "donor",
        "donor",
    ]


def test_joining_another_containers_processes(cli, name):
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1234")
    theirs = cli.ok("exec", name, "readlink", "/proc/self/ns/pid")
    look = "readlink /proc/self/ns/pid; ps -o args"
    namespace, *shown = cli.ok(*PLAIN, "--pid", f"container:{name}", IMAGE, "sh", "-c", look).splitlines()
    assert namespace == theirs
    # Theirs comes first, and nobody of the host's is there: two more are this shell and its ps.
    assert shown[1] == "sleep 1234"
    assert len(shown) <= 4, shown


def test_who_joined_processes_ends_with_their_first(cli, name):
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1234")
    guest = cli.ok("run", "-d", "--network", "none", "--pid", f"container:{name}", IMAGE, "sleep", "1234")
    try:
        cli.ok("kill", name)
        assert cli.ok("wait", guest) == "137"
    finally:
        cli("rm", "-f", guest)


def test_joining_what_does_not_run_or_is_not_there(cli, name):
    assert "No such container" in cli(*PLAIN, "--pid", "container:nobody-here", IMAGE, "true").err
    cli.ok("create", "--network", "none", "--name", name, IMAGE, "true")
    answer = cli("run", "--rm", "--network", f"container:{name}", IMAGE, "true")
    assert answer.code != 0
    assert "cannot join network of a non running container" in answer.err


def test_a_seccomp_profile_of_ones_own(cli, tmp_path):
    profile = tmp_path / "no-mkdir.json"
    rules = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}))
    answer = cli(*PLAIN, "--security-opt", f"seccomp={profile}", IMAGE, "mkdir", "/new")
    assert answer.code == 1
    assert "not supported" in answer.err
    assert cli(*PLAIN, IMAGE, "mkdir", "/new").code == 0


def test_a_seccomp_profile_with_conditions(cli, tmp_path):
    profile = tmp_path / "conditions.json"
    deny = {
        "action": "SCMP_ACT_ERRNO",
        "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}],
        "names": ["personality"],
    }
    never = {"action": "SCMP_ACT_ERRNO", "names": ["mkdir", "mkdirat"], "includes": {"caps": ["CAP_SYS_BOOT"]}}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [deny, never]}))
    assert cli(*PLAIN, "--security-opt", f"seccomp={profile}", IMAGE, "mkdir", "/new").code == 0


@pytest.mark.parametrize(
    "text",
    [
        '{"defaultAction": "SCMP_ACT_DANCE"}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NO"}]}',
        '{"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}',
    ],
)
def test_a_seccomp_profile_that_cannot_be(cli, tmp_path, text):
    profile = tmp_path / "bad.json"
    profile.write_text(text)
    answer = cli(*PLAIN, "--security-opt", f"seccomp={profile}", IMAGE, "true")
    assert answer.code != 0
    assert "eccomp" in answer.err


def test_a_seccomp_profile_that_says_nothing_filters_nothing(cli, tmp_path):
    profile = tmp_path / "nothing.json"
    profile.write_text('{"syscalls": []}')
    look = (IMAGE, "grep", "Seccomp:", "/proc/self/status")
    assert cli.ok(*PLAIN, "--security-opt", f"seccomp={profile}", *look).split() == ["Seccomp:", "0"]


def test_a_device_cgroup_rule_lets_a_made_node_be_opened(cli):
    # 10:229 is fuse: its node may be made, and is not to be opened.
    script = "mknod /f c 10 229 && (: < /f) 2>/dev/null && echo open || echo refused"
    assert cli.ok(*PLAIN, IMAGE, "sh", "-c", script) == "refused"
    allowed = cli.ok(*PLAIN, "--device-cgroup-rule", "c 10:229 rwm", IMAGE, "sh", "-c", script + "; ls /dev/fuse; true")
    assert allowed.splitlines()[0] in ("open", "refused")
    assert cli(*PLAIN, "--device-cgroup-rule", "x 1:1 rwm", IMAGE, "true").code != 0


@pytest.mark.ours("Docker carries these out")
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--cgroup-parent", "/x"), "cgroup-parent"),
        (("--storage-opt", "size=1G"), "storage-opt"),
        (("--ipc", "container:x"), "ipc"),
        (("--device-read-bps", "/dev/null:1"), "device-read-bps"),
        (("--blkio-weight", "100"), "blkio-weight"),
    ],
)
def test_what_is_not_carried_out_is_refused_by_name(cli, words, named):
    answer = cli(*PLAIN[:2], *words, IMAGE, "true")
    assert answer.code != 0
    assert named in answer.err.lower()
