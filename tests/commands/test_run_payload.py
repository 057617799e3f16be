"""Each option of ``run`` reaches the API's payload, under the API's name."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from containerlab.commands.run import run_command
from containerlab.commands.run_options import RunOptions
from containerlab.commands.run_payload import create_payload
from containerlab.errors import UsageError


def options_of(*words: str) -> RunOptions:
    return RunOptions(**run_command.make_context("run", list(words)).params)


def payload_of(*words: str) -> dict[str, Any]:
    return create_payload(options_of(*words, "img"))


CASES: list[tuple[str, list[str], Any]] = [
    ("env", ["-e", "A=1", "--env", "B=x=y"], {"Env": ["A=1", "B=x=y"]}),
    ("workdir", ["-w", "/srv"], {"WorkingDir": "/srv"}),
    ("user", ["-u", "1000:10"], {"User": "1000:10"}),
    ("entrypoint", ["--entrypoint", "sh -c"], {"Entrypoint": ["sh -c"]}),
    ("entrypoint", ["--entrypoint", ""], {"Entrypoint": [""]}),
    ("label", ["-l", "a=1", "--label", "b"], {"Labels": {"a": "1", "b": ""}}),
    ("hostname", ["-h", "box"], {"Hostname": "box"}),
    ("stop_signal", ["--stop-signal", "INT"], {"StopSignal": "INT"}),
    ("stop_timeout", ["--stop-timeout", "3"], {"StopTimeout": 3}),
    ("tty", ["-t"], {"Tty": True}),
    ("interactive", ["-i"], {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True}),
    ("detach", ["-d"], {"AttachStdin": False, "AttachStdout": False, "AttachStderr": False}),
    ("detach", ["-dit"], {"OpenStdin": True, "StdinOnce": False, "Tty": True, "AttachStdin": False}),
    ("volume", ["-v", "/a:/b:ro"], {"HostConfig": {"Binds": ["/a:/b:ro"]}}),
    (
        "mount",
        ["--mount", "type=bind,source=/a,target=/b,readonly"],
        {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}]}},
    ),
    ("tmpfs", ["--tmpfs", "/t:size=1m", "--tmpfs", "/u"], {"HostConfig": {"Tmpfs": {"/t": "size=1m", "/u": ""}}}),
    ("read_only", ["--read-only"], {"HostConfig": {"ReadonlyRootfs": True}}),
    ("shm_size", ["--shm-size", "1m"], {"HostConfig": {"ShmSize": 1048576}}),
    (
        "device",
        ["--device", "/dev/fuse", "--device", "/dev/a:/dev/b:r"],
        {
            "HostConfig": {
                "Devices": [
                    {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"},
                    {"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"},
                ]
            }
        },
    ),
    ("memory", ["-m", "64m"], {"HostConfig": {"Memory": 64 * 2**20}}),
    ("memory", ["--memory", "1.5GiB"], {"HostConfig": {"Memory": 3 * 2**29}}),
    ("memory_swap", ["--memory-swap", "-1"], {"HostConfig": {"MemorySwap": -1}}),
    ("cpus", ["--cpus", "0.5"], {"HostConfig": {"NanoCpus": 500_000_000}}),
    ("cpuset_cpus", ["--cpuset-cpus", "0-1"], {"HostConfig": {"CpusetCpus": "0-1"}}),
    ("pids_limit", ["--pids-limit", "20"], {"HostConfig": {"PidsLimit": 20}}),
    (
        "ulimit",
        ["--ulimit", "nofile=64:128", "--ulimit", "core=0"],
        {
            "HostConfig": {
                "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}, {"Name": "core", "Soft": 0, "Hard": 0}]
            }
        },
    ),
    ("cap_add", ["--cap-add", "NET_ADMIN"], {"HostConfig": {"CapAdd": ["NET_ADMIN"]}}),
    ("cap_drop", ["--cap-drop", "ALL"], {"HostConfig": {"CapDrop": ["ALL"]}}),
    ("security_opt", ["--security-opt", "no-new-privileges"], {"HostConfig": {"SecurityOpt": ["no-new-privileges"]}}),
    ("privileged", ["--privileged"], {"HostConfig": {"Privileged": True}}),
    ("group_add", ["--group-add", "12"], {"HostConfig": {"GroupAdd": ["12"]}}),
    ("sysctl", ["--sysctl", "net.core.somaxconn=9"], {"HostConfig": {"Sysctls": {"net.core.somaxconn": "9"}}}),
    ("pid", ["--pid", "host"], {"HostConfig": {"PidMode": "host"}}),
    ("ipc", ["--ipc", "private"], {"HostConfig": {"IpcMode": "private"}}),
    ("uts", ["--uts", "host"], {"HostConfig": {"UTSMode": "host"}}),
    ("network", ["--network", "none"], {"HostConfig": {"NetworkMode": "none"}}),
    ("network", ["--net", "host"], {"HostConfig": {"NetworkMode": "host"}}),
    ("add_host", ["--add-host", "db:10.0.0.1"], {"HostConfig": {"ExtraHosts": ["db:10.0.0.1"]}}),
    ("rm", ["--rm"], {"HostConfig": {"AutoRemove": True}}),
    (
        "restart",
        ["--restart", "on-failure:3"],
        {"HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}},
    ),
    ("init", ["--init"], {"HostConfig": {"Init": True}}),
    ("runtime", ["--runtime", "vm"], {"HostConfig": {"Runtime": "vm"}}),
]


@pytest.mark.parametrize(("field", "words", "part"), CASES, ids=[" ".join(words) for _, words, _ in CASES])
def test_option_reaches_the_payload(field: str, words: list[str], part: dict[str, Any]) -> None:
    payload = payload_of(*words)
    for key, value in part.items():
        if key == "HostConfig":
            assert payload[key] == value
        else:
            assert payload[key] == value


def test_every_field_has_a_case() -> None:
    """``name``, ``replace`` and ``raising`` are no part of the payload; ``env_file`` has tests of its own."""
    named = {field.name for field in fields(RunOptions)}
    assert named - {field for field, _, _ in CASES} == {"image", "command", "name", "replace", "raising", "env_file"}


def test_a_bare_run_asks_for_nothing_but_the_image() -> None:
    assert payload_of() == {
        "Image": "img", "Env": [], "Labels": {}, "Tty": False, "OpenStdin": False, "StdinOnce": False,
        "AttachStdin": False, "AttachStdout": True, "AttachStderr": True, "HostConfig": {},
    }  # fmt: skip


def test_options_end_at_the_image() -> None:
    options = options_of("--rm", "img", "ls", "-la", "--name", "x")
    assert options.command == ("ls", "-la", "--name", "x")
    assert options.name is None


def test_env_comes_from_files_then_the_line_then_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "env"
    file.write_text("# a comment\n\nA=1\n  B='quoted # kept'\nFROM_HERE\nNOT_SET_ANYWHERE\n")
    monkeypatch.setenv("FROM_HERE", "yes")
    payload = payload_of("--env-file", str(file), "-e", "A=2", "-e", "FROM_HERE", "-e", "NOT_SET_ANYWHERE")
    assert payload["Env"] == ["A=1", "B='quoted # kept'", "FROM_HERE=yes", "A=2", "FROM_HERE=yes"]


def test_a_python_variable_fills_env_where_there_are_variables() -> None:
    variables = {"@count": "3"}
    payload = create_payload(options_of("-e", "N=@count", "img"), lambda text: variables.get(text, text))
    assert payload["Env"] == ["N=3"]


def test_folders_of_the_caller_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert payload_of("-v", "./data:/data")["HostConfig"]["Binds"] == [f"{tmp_path}/data:/data"]
    assert payload_of("-v", "named:/data")["HostConfig"]["Binds"] == ["named:/data"]


def test_a_seccomp_profile_travels_as_text(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    sent = payload_of("--security-opt", f"seccomp={file}")["HostConfig"]["SecurityOpt"][0]
    assert json.loads(sent.removeprefix("seccomp=")) == {"defaultAction": "SCMP_ACT_ALLOW"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "3x"], "3x"),
        (["-m", "lots"], "64m"),
        (["--cpus", "many"], "0.5"),
        (["--cpus", "nan"], "0.5"),
        (["--ulimit", "nofile"], "nofile=64:128"),
        (["--device", "sda"], "/dev/NAME"),
        (["--restart", "often"], "unless-stopped"),
        (["--restart", "on-failure:x"], "on-failure:3"),
        (["--mount", "type=volume,src=a,dst=b"], "type=bind"),
        (["--mount", "type=bind,src=a"], "dst="),
        (["--mount", "type=bind,src=a,dst=b,speed=1"], "speed"),
        (["--publish", "80:80"], "No such option"),
    ],
)
def test_a_bad_value_says_what_is_expected(words: list[str], message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        payload_of(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-v", "/only"], "HOST:DIR"),
        (["-l", "=x"], "KEY=VALUE"),
        (["-e", "=x"], "KEY=VALUE"),
        (["--sysctl", "a"], "KEY=VALUE"),
        (["--env-file", "/nonexistent"], "No such file"),
        (["--security-opt", "seccomp=/nonexistent"], "No such file"),
    ],
)
def test_what_only_the_payload_can_tell(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        payload_of(*words)
