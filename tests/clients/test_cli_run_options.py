"""Each option of ``docker run`` by the real command line: seen from inside the container, and what of it is refused."""

from __future__ import annotations

import json
import os
import socket

import pytest

from tests.clients.conftest import IMAGE

RUN = ("run", "--rm")
ALONE = (*RUN, "--network", "none")


def inside(cli, *words: str) -> str:
    """What ``sh -c`` of the last word says in a container of the other words' options."""
    *options, script = words
    return cli.ok(*RUN, *options, IMAGE, "sh", "-c", script)


def limit(controller: str, *names: str) -> str:
    """A script that reads a limit on cgroup v1 or v2: the name there of each."""
    first, second = names
    return f"cat /sys/fs/cgroup/{controller}/{first} 2>/dev/null || cat /sys/fs/cgroup/{second}"


STATUS = "grep -E '^(Cap(Eff|Bnd)|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t' ' '"
DEFAULT = 0xA80425FB
NET_ADMIN, SYS_ADMIN, CHOWN = 1 << 12, 1 << 21, 1


# -- who and where ----------------------------------------------------------------------------------


@pytest.mark.ids
@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("-u", "nobody"), "65534 65534 65534"),
        (("-u", "12"), "12 0 0"),
        (("-u", "12:34"), "12 34 34"),
        (("--group-add", "77", "--group-add", "adm"), "0 0 0 4 77"),
        (("-u", "12:34", "--group-add", "77"), "12 34 34 77"),
    ],
)
def test_user_and_groups(cli, options, shown):
    first, second, *rest = inside(cli, *options, "echo $(id -u; id -g; id -G)").split()
    assert [first, second, *sorted(rest, key=int)] == [*shown.split()[:2], *sorted(shown.split()[2:], key=int)]


def test_an_unknown_user_or_group_is_refused_by_name(cli):
    answer = cli(*ALONE, "-u", "nobody-here", IMAGE, "true")
    assert answer.code in (125, 126)
    assert "unable to find user nobody-here: no matching entries in passwd file" in answer.err
    answer = cli(*ALONE, "--group-add", "nobody-here", IMAGE, "true")
    assert answer.code == 125
    assert "nable to find group nobody-here: no matching entries in group file" in answer.err


def test_variables_from_files_and_from_the_client(cli, tmp_path):
    (tmp_path / "env").write_text("# a comment\nA=1\nB=x y\nFROM_CLIENT\n")
    cli.environment["FROM_CLIENT"] = "passed on"
    cli.environment["ALSO"] = "too"
    script = 'echo "$A|$B|$FROM_CLIENT|$ALSO|$PATH"'
    shown = inside(cli, "--env-file", str(tmp_path / "env"), "-e", "A=2", "-e", "ALSO", script)
    assert shown.startswith("2|x y|passed on|too|/")
    assert cli(*ALONE, "--env-file", str(tmp_path / "missing"), IMAGE, "true").code != 0


@pytest.mark.namespaces
def test_names_of_the_machine(cli):
    shown = inside(cli, "--hostname", "here", "--domainname", "lab.test", "hostname; cat /etc/hosts; cat /etc/hostname")
    assert shown.splitlines()[0] == "here"
    assert shown.splitlines()[-1] == "here"
    assert "\there.lab.test here" in shown


def test_names_of_other_machines(cli):
    shown = inside(cli, "--add-host", "db:10.1.2.3", "--add-host", "six:fd00::1", "cat /etc/hosts").splitlines()
    assert "10.1.2.3\tdb" in shown
    assert "fd00::1\tsix" in shown
    assert cli(*RUN, "--add-host", "db:nowhere", IMAGE, "true").code != 0


def test_who_answers_names(cli):
    options = ("--dns", "1.2.3.4", "--dns-search", "lab.test", "--dns-option", "ndots:3")
    shown = inside(cli, *options, "cat /etc/resolv.conf").splitlines()
    assert {"nameserver 1.2.3.4", "search lab.test", "options ndots:3"} <= set(shown)


def test_an_entrypoint_that_is_empty_takes_the_images_away(cli, name, tmp_path):
    (tmp_path / "Dockerfile").write_text(f'FROM {IMAGE}\nENTRYPOINT ["echo", "image"]\nCMD ["word"]\n')
    cli.ok("build", "-t", f"{name}:1", str(tmp_path))
    try:
        assert cli.ok(*ALONE, f"{name}:1") == "image word"
        assert cli.ok(*ALONE, f"{name}:1", "other") == "image other"
        assert cli.ok(*ALONE, "--entrypoint", "", f"{name}:1", "echo", "mine") == "mine"
        assert cli.ok(*ALONE, "--entrypoint", "printf", f"{name}:1", "%s", "theirs") == "theirs"
    finally:
        cli("rmi", "-f", f"{name}:1")


def test_labels_from_words_and_files(cli, name, tmp_path):
    (tmp_path / "labels").write_text("one=1\n# no label\ntwo\n")
    cli.ok("create", "--name", name, "-l", "three=3", "--label-file", str(tmp_path / "labels"), IMAGE, "true")
    shown = json.loads(cli.ok("inspect", "-f", "{{json .Config.Labels}}", name))
    assert {"one": "1", "three": "3"}.items() <= shown.items()
    assert "two" not in shown  # a word alone is taken from the client's environment, as in --env-file


def test_a_file_for_the_id_that_exists_is_left_alone(cli, tmp_path):
    (tmp_path / "id").write_text("mine")
    answer = cli(*ALONE, "--cidfile", str(tmp_path / "id"), IMAGE, "true")
    assert answer.code == 125
    assert (tmp_path / "id").read_text() == "mine"


# -- files ------------------------------------------------------------------------------------------


@pytest.mark.namespaces
def test_a_bind_that_is_read_only_and_one_that_is_not_there(cli, tmp_path):
    (tmp_path / "note").write_text("here")
    script = "cat /mnt/note; touch /mnt/x 2>/dev/null || echo ' refused'"
    assert inside(cli, "-v", f"{tmp_path}:/mnt:ro", script) == "here refused"
    assert inside(cli, "--mount", f"type=bind,src={tmp_path},dst=/mnt,readonly", script) == "here refused"
    missing = tmp_path / "missing"
    answer = cli(*ALONE, "--mount", f"type=bind,src={missing},dst=/mnt", IMAGE, "true")
    assert answer.code == 125
    assert f"bind source path does not exist: {missing}" in answer.err
    assert not missing.exists()
    # -v makes it, as it always has.
    assert inside(cli, "-v", f"{missing}:/mnt", "ls /mnt") == ""
    assert missing.is_dir()


def test_two_mounts_at_one_place_are_refused(cli, tmp_path):
    answer = cli(*ALONE, "-v", f"{tmp_path}:/mnt", "-v", "/tmp:/mnt", IMAGE, "true")
    assert answer.code == 125
    assert "Duplicate mount point: /mnt" in answer.err


@pytest.mark.namespaces
def test_memory_as_a_folder(cli):
    look = "grep ' /scratch ' /proc/mounts"
    shown = inside(cli, "--tmpfs", "/scratch:size=1m,mode=700", look)
    assert "size=1024k" in shown and "mode=700" in shown and "noexec" in shown
    shown = inside(cli, "--mount", "type=tmpfs,dst=/scratch,tmpfs-size=1m,tmpfs-mode=1770", look)
    assert "size=1024k" in shown and "mode=1770" in shown


@pytest.mark.namespaces
def test_a_root_that_is_read_only_has_writable_memory(cli):
    script = "touch /x 2>/dev/null || echo refused; touch /dev/shm/x && echo shm; touch /run/x && echo run"
    assert inside(cli, "--read-only", "--tmpfs", "/run", script).split() == ["refused", "shm", "run"]


@pytest.mark.namespaces
def test_shared_memory_has_the_size_asked_for(cli):
    assert inside(cli, "--shm-size", "16m", "df -k /dev/shm | tail -1").split()[1] == "16384"


@pytest.mark.root
def test_a_device_of_the_host(cli):
    script = "(: >> /dev/log) 2>/dev/null && echo open || echo refused"
    assert inside(cli, "--device", "/dev/kmsg:/dev/log:rw", script) == "open"
    assert inside(cli, "--device", "/dev/kmsg:/dev/log:r", script) == "refused"
    answer = cli(*ALONE, "--device", "/dev/nothing-here", IMAGE, "true")
    assert answer.code != 0
    assert "/dev/nothing-here" in answer.err


# -- what it may do ---------------------------------------------------------------------------------


def status(cli, *options: str) -> dict[str, int]:
    lines = inside(cli, *options, STATUS).splitlines()
    pairs = (line.split(": ") for line in lines)
    return {key: int(value, 16) for key, value in pairs}


@pytest.mark.namespaces
def test_capabilities_given_and_taken(cli):
    plain = status(cli)
    assert (plain["CapEff"], plain["NoNewPrivs"], plain["Seccomp"]) == (DEFAULT, 0, 2)
    assert status(cli, "--cap-add", "NET_ADMIN")["CapEff"] == DEFAULT | NET_ADMIN
    assert status(cli, "--cap-add", "cap_sys_admin")["CapBnd"] == DEFAULT | SYS_ADMIN
    assert status(cli, "--cap-drop", "ALL")["CapEff"] == 0
    assert status(cli, "--cap-drop", "all", "--cap-add", "CHOWN")["CapEff"] == CHOWN
    assert status(cli, "--cap-drop", "CHOWN")["CapEff"] == DEFAULT & ~CHOWN
    answer = cli(*ALONE, "--cap-add", "NOPE", IMAGE, "true")
    assert answer.code == 125
    assert 'unknown capability: "CAP_NOPE"' in answer.err


@pytest.mark.ids
def test_another_user_has_no_capability_in_effect(cli):
    shown = status(cli, "-u", "12")
    assert (shown["CapEff"], shown["CapBnd"]) == (0, DEFAULT)


@pytest.mark.namespaces
def test_security_options(cli):
    assert status(cli, "--security-opt", "no-new-privileges")["NoNewPrivs"] == 1
    assert status(cli, "--security-opt", "seccomp=unconfined")["Seccomp"] == 0
    assert cli(*ALONE, "--security-opt", "nonsense=1", IMAGE, "true").code != 0
    assert cli(*ALONE, "--security-opt", "seccomp=/no/such/file", IMAGE, "true").code != 0


@pytest.mark.root
def test_privileged_takes_the_walls_away(cli):
    script = f"{STATUS}; grep -c ' /sys sysfs rw' /proc/mounts; ls /dev | wc -l"
    answer = cli(*RUN, "--privileged", IMAGE, "sh", "-c", script)
    if "unable to apply caps" in answer.err:
        pytest.skip("this host keeps some capabilities from everybody")
    lines = answer.out.splitlines()
    shown = dict(line.split(": ") for line in lines[:-2])
    assert int(shown["CapEff"], 16) & (NET_ADMIN | SYS_ADMIN)
    assert shown["Seccomp"] == "0"
    assert lines[-2] == "1"
    assert int(lines[-1]) > 15


# -- namespaces -------------------------------------------------------------------------------------


def namespace(kind: str) -> str:
    return os.readlink(f"/proc/self/ns/{kind}")  # noqa: PTH115


@pytest.mark.root
@pytest.mark.parametrize(("option", "kind"), [("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts")])
def test_a_namespace_of_its_own_or_the_hosts(cli, option, kind):
    look = f"readlink /proc/self/ns/{kind}"
    assert inside(cli, look) != namespace(kind)
    assert inside(cli, option, "host", look) == namespace(kind)
    answer = cli(*ALONE, option, "nosuch", IMAGE, "true")
    assert answer.code != 0
    assert "mode" in answer.err


@pytest.mark.root
def test_an_exec_is_where_its_container_is(cli, name):
    shared = ("--pid", "host", "--ipc", "host", "--uts", "host", "--network", "host", "--cgroupns", "host")
    kinds = ("pid", "ipc", "uts", "net", "cgroup", "mnt")
    look = "".join(f"readlink /proc/self/ns/{kind};" for kind in kinds)
    cli.ok("run", "-d", "--name", name, *shared, IMAGE, "sleep", "1000")
    *hosts, own = cli.ok("exec", name, "sh", "-c", look).split()
    assert hosts == [namespace(kind) for kind in kinds[:-1]]
    assert own != namespace("mnt")


def test_the_hosts_network_and_none(cli):
    look = "readlink /proc/self/ns/net; ls /sys/class/net"
    assert inside(cli, "--network", "none", look).split()[1:] == ["lo"]
    net, *links = inside(cli, "--network", "host", look).split()
    assert net == namespace("net")
    assert set(links) <= {name for _, name in socket.if_nameindex()} | {"bonding_masters"}
    answer = cli(*RUN, "--network", "nosuch", IMAGE, "true")
    assert answer.code == 125
    assert "network nosuch not found" in answer.err


@pytest.mark.root
def test_the_cgroup_namespace(cli):
    look = "readlink /proc/self/ns/cgroup; grep -c ':/$' /proc/self/cgroup; wc -l < /proc/self/cgroup"
    own, roots, all_of_them = inside(cli, "--cgroupns", "private", look).split()
    assert own != namespace("cgroup")
    assert roots == all_of_them
    assert inside(cli, "--cgroupns", "host", look).split()[0] == namespace("cgroup")


def test_the_user_namespace_is_the_engines(cli):
    assert cli.ok(*ALONE, "--userns", "host", IMAGE, "echo", "here") == "here"
    answer = cli(*ALONE, "--userns", "keep-id", IMAGE, "true")
    assert answer.code != 0
    assert "USER mode" in answer.err


@pytest.mark.namespaces
def test_interprocess_memory_that_is_no_ones(cli):
    assert inside(cli, "--ipc", "none", "grep -c ' /dev/shm ' /proc/mounts || true") == "0"
    assert inside(cli, "--ipc", "shareable", "grep -c ' /dev/shm ' /proc/mounts") == "1"


@pytest.mark.namespaces
def test_settings_of_the_kernel(cli):
    script = "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_default_ttl"
    options = ("--sysctl", "kernel.msgmax=70000", "--sysctl", "net.ipv4.ip_default_ttl=33")
    assert inside(cli, *options, script).split() == ["70000", "33"]
    answer = cli(*ALONE, "--sysctl", "kernel.panic=1", IMAGE, "true")
    assert answer.code != 0
    assert "kernel.panic" in answer.err


# -- limits -----------------------------------------------------------------------------------------


@pytest.mark.counted
def test_memory(cli):
    script = limit("memory", "memory.limit_in_bytes", "memory.max")
    assert inside(cli, "-m", "32m", script) == str(32 << 20)
    script = limit("memory", "memory.soft_limit_in_bytes", "memory.low")
    assert inside(cli, "-m", "32m", "--memory-reservation", "16m", script) == str(16 << 20)
    answer = cli(*ALONE, "--memory-swap", "64m", IMAGE, "true")
    assert answer.code == 125
    assert "You should always set the Memory limit when using Memoryswap limit" in answer.err


@pytest.mark.counted
def test_processors(cli):
    assert inside(cli, "--cpus", "0.5", limit("cpu", "cpu.cfs_quota_us", "cpu.max")).split()[0] == "50000"
    quota = inside(cli, "--cpu-period", "50000", "--cpu-quota", "20000", limit("cpu", "cpu.cfs_quota_us", "cpu.max"))
    assert quota.split()[0] == "20000"
    assert inside(cli, "--cpuset-cpus", "0", "nproc") == "1"
    shares = inside(cli, "--cpu-shares", "512", limit("cpu", "cpu.shares", "cpu.weight"))
    assert shares in ("512", "20")
    answer = cli(*ALONE, "--cpus", "9999", IMAGE, "true")
    assert answer.code == 125
    assert "Range of CPUs is from 0.01 to" in answer.err
    for asked, told in (
        ("999", "Requested CPUs are not available - requested 999, available: 0"),
        ("0,x", "Invalid value 0,x for cpuset cpus"),
        ("2-1", "Invalid value 2-1 for cpuset cpus"),
        ("0-99999999", "Invalid value 0-99999999 for cpuset cpus"),
    ):
        answer = cli(*ALONE, "--cpuset-cpus", asked, IMAGE, "true")
        assert answer.code == 125
        assert told in answer.err
    answer = cli(*ALONE, "--cpuset-mems", "999", IMAGE, "true")
    assert answer.code == 125
    assert "Requested memory nodes are not available - requested 999" in answer.err


@pytest.mark.counted
def test_processes(cli):
    assert inside(cli, "--pids-limit", "7", limit("pids", "pids.max", "pids.max")) == "7"


def test_limits_of_a_process(cli):
    options = ("--ulimit", "nofile=100:200", "--ulimit", "core=0", "--oom-score-adj", "300")
    script = "ulimit -n; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj"
    assert inside(cli, *options, script).split() == ["100", "200", "0", "300"]
    assert cli(*ALONE, "--ulimit", "nosuch=1", IMAGE, "true").code != 0
    assert cli(*ALONE, "--ulimit", "nofile=200:100", IMAGE, "true").code != 0


# -- its life ---------------------------------------------------------------------------------------


@pytest.mark.namespaces
def test_an_init_takes_orphans_in(cli, name):
    cli.ok("run", "-d", "--init", "--name", name, "--network", "none", IMAGE, "sh", "-c", "(true &); exec sleep 1000")
    first = cli.ok("exec", name, "cat", "/proc/1/comm")
    assert "init" in first
    assert " Z " not in cli.ok("exec", name, "ps", "-o", "pid,stat,comm")
    assert cli.ok("stop", "-t", "5", name) == name
    assert cli.ok("inspect", "-f", "{{.State.ExitCode}}", name) == "143"


def test_the_signal_that_stop_sends_and_how_long_it_waits(cli, name):
    script = "trap 'echo told; exit 5' USR1; echo up; while :; do sleep 0.05; done"
    options = ("--stop-signal", "USR1", "--stop-timeout", "20")
    cli.ok("run", "-d", "--name", name, "--network", "none", *options, IMAGE, "sh", "-c", script)
    while "up" not in cli.ok("logs", name):
        pass
    cli.ok("stop", name)
    assert cli.ok("inspect", "-f", "{{.State.ExitCode}} {{.Config.StopSignal}}", name) == "5 USR1"
    assert cli.ok("inspect", "-f", "{{.Config.StopTimeout}}", name) == "20"
    answer = cli("create", "--stop-signal", "NOPE", IMAGE, "true")
    assert answer.code != 0
    assert "nvalid signal: NOPE" in answer.err


def test_the_platform(cli):
    architecture = cli.ok("version", "-f", "{{.Server.Arch}}")
    assert cli.ok(*ALONE, "--platform", f"linux/{architecture}", IMAGE, "echo", "same") == "same"


@pytest.mark.ours("Docker asks a registry for an image of that platform")
def test_another_platform_is_refused_by_name(cli):
    answer = cli(*ALONE, "--platform", "linux/s390x", IMAGE, "true")
    assert answer.code != 0
    assert "linux/s390x" in answer.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--runtime", "nosuch"), "nosuch"),
        (("--gpus", "all"), 'could not select device driver "" with capabilities: [[gpu]]'),
        (("--restart", "always"), "--restart and --rm"),
        (("--log-driver", "nosuch"), "nosuch"),
        (("--log-opt", "nosuch=1"), "nosuch"),
        (("--isolation", "hyperv"), "solation"),
        (("-w", "relative"), "the working directory 'relative' is invalid, it needs to be an absolute path"),
        (("-h", "x" * 70), "hostname"),
        (("--pull", "never"), "No such image"),
    ],
    ids=lambda value: value[0].lstrip("-") if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_by_name(cli, options, told):
    image = "lab/nothing-of-this-name" if options[0] == "--pull" else IMAGE
    answer = cli(*ALONE, *options, image, "true")
    assert answer.code == 125, answer
    assert told in answer.err
