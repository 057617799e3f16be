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


def joined(network: str, **endpoint: Any) -> dict[str, Any]:
    return {"EndpointsConfig": {network: endpoint}}


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
    ("attach", ["-a", "STDOUT"], {"AttachStdin": False, "AttachStdout": True, "AttachStderr": False}),
    (
        "attach",
        ["-i", "-a", "stdin", "-a", "stderr"],
        {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True, "AttachStdout": False, "AttachStderr": True},
    ),
    ("attach", ["-i", "-a", "stdout"], {"OpenStdin": True, "AttachStdin": True, "AttachStderr": False}),
    ("cidfile", ["--cidfile", "id"], {"HostConfig": {"ContainerIDFile": "id"}}),
    ("annotation", ["--annotation", "a=b"], {"HostConfig": {"Annotations": {"a": "b"}}}),
    ("health_cmd", ["--health-cmd", "test -e /ok"], {"Healthcheck": {"Test": ["CMD-SHELL", "test -e /ok"]}}),
    ("health_interval", ["--health-interval", "1m30s"], {"Healthcheck": {"Interval": 90 * 10**9}}),
    ("health_timeout", ["--health-timeout", "1.5s"], {"Healthcheck": {"Timeout": 15 * 10**8}}),
    ("health_retries", ["--health-retries", "4"], {"Healthcheck": {"Retries": 4}}),
    ("health_start_period", ["--health-start-period", "100ms"], {"Healthcheck": {"StartPeriod": 10**8}}),
    ("health_start_interval", ["--health-start-interval", "2h"], {"Healthcheck": {"StartInterval": 7200 * 10**9}}),
    ("no_healthcheck", ["--no-healthcheck"], {"Healthcheck": {"Test": ["NONE"]}}),
    (
        "log_driver",
        ["--log-driver", "local", "--log-opt", "max-size=1m"],
        {"HostConfig": {"LogConfig": {"Type": "local", "Config": {"max-size": "1m"}}}},
    ),
    ("log_opt", ["--log-opt", "max-file=2"], {"HostConfig": {"LogConfig": {"Type": "", "Config": {"max-file": "2"}}}}),
    ("volume", ["-v", "/only"], {"Volumes": {"/only": {}}, "HostConfig": {}}),
    ("volumes_from", ["--volumes-from", "web"], {"HostConfig": {"VolumesFrom": ["web"]}}),
    ("volume_driver", ["--volume-driver", "nfs"], {"HostConfig": {"VolumeDriver": "nfs"}}),
    ("storage_opt", ["--storage-opt", "size=1g"], {"HostConfig": {"StorageOpt": {"size": "1g"}}}),
    ("device_cgroup_rule", ["--device-cgroup-rule", "c 1:3 r"], {"HostConfig": {"DeviceCgroupRules": ["c 1:3 r"]}}),
    (
        "gpus",
        ["--gpus", "all"],
        {"HostConfig": {"DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]}},
    ),
    (
        "gpus",
        ["--gpus", '"device=0,1"'],
        {"HostConfig": {"DeviceRequests": [{"Driver": "", "DeviceIDs": ["0", "1"], "Capabilities": [["gpu"]]}]}},
    ),
    ("memory_reservation", ["--memory-reservation", "8m"], {"HostConfig": {"MemoryReservation": 8 * 2**20}}),
    ("memory_swappiness", ["--memory-swappiness", "7"], {"HostConfig": {"MemorySwappiness": 7}}),
    ("memory_swappiness", ["--memory-swappiness", "-1"], {"HostConfig": {}}),
    ("kernel_memory", ["--kernel-memory", "8m"], {"HostConfig": {"KernelMemory": 8 * 2**20}}),
    ("oom_kill_disable", ["--oom-kill-disable"], {"HostConfig": {"OomKillDisable": True}}),
    ("oom_score_adj", ["--oom-score-adj", "-5"], {"HostConfig": {"OomScoreAdj": -5}}),
    ("cpu_shares", ["-c", "512"], {"HostConfig": {"CpuShares": 512}}),
    ("cpu_period", ["--cpu-period", "5000"], {"HostConfig": {"CpuPeriod": 5000}}),
    ("cpu_quota", ["--cpu-quota", "2500"], {"HostConfig": {"CpuQuota": 2500}}),
    ("cpu_rt_period", ["--cpu-rt-period", "3"], {"HostConfig": {"CpuRealtimePeriod": 3}}),
    ("cpu_rt_runtime", ["--cpu-rt-runtime", "3"], {"HostConfig": {"CpuRealtimeRuntime": 3}}),
    ("cpu_count", ["--cpu-count", "3"], {"HostConfig": {"CpuCount": 3}}),
    ("cpu_percent", ["--cpu-percent", "3"], {"HostConfig": {"CpuPercent": 3}}),
    ("cpuset_mems", ["--cpuset-mems", "0"], {"HostConfig": {"CpusetMems": "0"}}),
    ("blkio_weight", ["--blkio-weight", "300"], {"HostConfig": {"BlkioWeight": 300}}),
    (
        "blkio_weight_device",
        ["--blkio-weight-device", "/dev/sda:300"],
        {"HostConfig": {"BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 300}]}},
    ),
    (
        "device_read_bps",
        ["--device-read-bps", "/dev/sda:1mb"],
        {"HostConfig": {"BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 2**20}]}},
    ),
    (
        "device_write_bps",
        ["--device-write-bps", "/dev/sda:9"],
        {"HostConfig": {"BlkioDeviceWriteBps": [{"Path": "/dev/sda", "Rate": 9}]}},
    ),
    (
        "device_read_iops",
        ["--device-read-iops", "/dev/sda:9"],
        {"HostConfig": {"BlkioDeviceReadIOps": [{"Path": "/dev/sda", "Rate": 9}]}},
    ),
    (
        "device_write_iops",
        ["--device-write-iops", "/dev/sda:9"],
        {"HostConfig": {"BlkioDeviceWriteIOps": [{"Path": "/dev/sda", "Rate": 9}]}},
    ),
    ("io_maxbandwidth", ["--io-maxbandwidth", "1m"], {"HostConfig": {"IOMaximumBandwidth": 2**20}}),
    ("io_maxiops", ["--io-maxiops", "5"], {"HostConfig": {"IOMaximumIOps": 5}}),
    ("userns", ["--userns", "host"], {"HostConfig": {"UsernsMode": "host"}}),
    ("cgroupns", ["--cgroupns", "private"], {"HostConfig": {"CgroupnsMode": "private"}}),
    ("cgroup_parent", ["--cgroup-parent", "/lab"], {"HostConfig": {"CgroupParent": "/lab"}}),
    ("isolation", ["--isolation", "hyperv"], {"HostConfig": {"Isolation": "hyperv"}}),
    ("domainname", ["--domainname", "lab"], {"Domainname": "lab"}),
    ("dns", ["--dns", "10.0.0.1"], {"HostConfig": {"Dns": ["10.0.0.1"]}}),
    ("dns_option", ["--dns-opt", "ndots:2"], {"HostConfig": {"DnsOptions": ["ndots:2"]}}),
    ("dns_search", ["--dns-search", "lab"], {"HostConfig": {"DnsSearch": ["lab"]}}),
    (
        "publish",
        ["-p", "8080:80"],
        {
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
        },
    ),
    ("publish_all", ["-P"], {"HostConfig": {"PublishAllPorts": True}}),
    ("expose", ["--expose", "90-91/udp"], {"ExposedPorts": {"90/udp": {}, "91/udp": {}}, "HostConfig": {}}),
    ("link", ["--link", "db:db"], {"HostConfig": {"Links": ["db:db"]}}),
    ("ip", ["--ip", "10.0.0.2"], {"NetworkingConfig": joined("default", IPAMConfig={"IPv4Address": "10.0.0.2"})}),
    ("ip6", ["--ip6", "fe::2"], {"NetworkingConfig": joined("default", IPAMConfig={"IPv6Address": "fe::2"})}),
    (
        "link_local_ip",
        ["--link-local-ip", "169.254.1.1"],
        {"NetworkingConfig": joined("default", IPAMConfig={"LinkLocalIPs": ["169.254.1.1"]})},
    ),
    (
        "mac_address",
        ["--mac-address", "2:0:0:0:0:1"],
        {"NetworkingConfig": joined("default", MacAddress="2:0:0:0:0:1")},
    ),
    (
        "network_alias",
        ["--network", "lab", "--network-alias", "web"],
        {"NetworkingConfig": joined("lab", Aliases=["web"]), "HostConfig": {"NetworkMode": "lab"}},
    ),
    (
        "network",
        ["--network", "name=lab,alias=web,ip=10.0.0.2", "--network", "other"],
        {
            "HostConfig": {"NetworkMode": "lab"},
            "NetworkingConfig": {
                "EndpointsConfig": {"lab": {"Aliases": ["web"], "IPAMConfig": {"IPv4Address": "10.0.0.2"}}, "other": {}}
            },
        },
    ),
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
    """What is no part of the payload, or has tests of its own, is named here."""
    named = {field.name for field in fields(RunOptions)}
    apart = {"image", "command", "name", "replace", "raising", "env_file", "label_file"}
    apart |= {"detach_keys", "sig_proxy", "pull", "quiet", "platform"}
    assert named - {field for field, _, _ in CASES} == apart


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
        (["--mount", "type=bind,src=/a"], "target is required"),
        (["--mount", "type=bind,src=/a,dst=/b,speed=1"], "unexpected key 'speed' in 'speed=1'"),
        (["--mount", "type=bind,src=/a,dst=/b,nok"], "invalid field 'nok' must be a key=value pair"),
        (["--mount", "type=bind,dst=/a,tmpfs-size=1"], "cannot mix 'tmpfs-\\*' options with mount type 'bind'"),
        (["--mount", "type=tmpfs,dst=/a,tmpfs-size=x"], "invalid value for tmpfs-size: x"),
        (["--mount", "type=tmpfs,dst=/a,tmpfs-mode=9"], "invalid value for tmpfs-mode: 9"),
        (["--mount", "type=bind,src=/,dst=/a,ro=maybe"], "invalid value for ro: maybe"),
        (["--mount", "type=bind,src=/,dst=/a,bind-recursive=x"], "invalid value for bind-recursive: x"),
        (["--memory", "-1"], "not a size"),
        (["--health-interval", "3"], "1m30s"),
        (["--gpus", "some"], "all, a number"),
        (["--pull", "often"], "always"),
        (["-a", "stdlog"], "stderr"),
        (["--device-read-bps", "sda"], "/dev/NAME:NUMBER"),
        (["--device-read-iops", "/dev/sda:1k"], "positive integer"),
    ],
)
def test_a_bad_value_says_what_is_expected(words: list[str], message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        payload_of(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--no-healthcheck", "--health-cmd", "x"], "--no-healthcheck conflicts with --health-\\* options"),
        (["--health-interval", "-1s"], "--health-interval cannot be negative"),
        (["--health-retries", "-1"], "--health-retries cannot be negative"),
        (["--health-start-period", "-1s"], "--health-start-period cannot be negative"),
        (["--log-driver", "none", "--log-opt", "a=b"], "invalid logging opts for driver none"),
        (["--label-file", "/nonexistent"], "--label-file /nonexistent: No such file"),
        (["--memory-swappiness", "101"], "invalid value: 101. Valid memory swappiness range is 0-100"),
        (["-d", "-a", "stdout"], "conflicting options: cannot specify both --attach and --detach"),
        (["--rm", "--restart", "always"], "conflicting options: cannot specify both --restart and --rm"),
        (["-p", "x"], "invalid containerPort: x"),
        (["-p", "x:1"], "invalid hostPort: x"),
        (["-p", "70000"], "invalid containerPort: 70000"),
        (["-p", "80/xyz"], "invalid proto: xyz"),
        (["-p", "80:90:100:110"], "invalid IP address: 80:90"),
        (["-p", "1-2:5-7"], "invalid ranges specified for container and host Ports: 5-7 and 1-2"),
        (["-p", "target=80,x=8"], "invalid field key x"),
        (["-p", ":"], "no port specified: :<empty>"),
        (["--expose", "x"], "invalid range format for --expose: x"),
        (["--expose", "1:2"], "invalid port format for --expose: 1:2"),
        (["--network", "none", "--network", "none"], 'network "none" is specified multiple times'),
        (["--network-alias", "x"], "network-scoped aliases are only supported for user-defined networks"),
        (["--network", "name=lab,foo=x"], "invalid field key foo"),
        (["--network", "alias=x"], "network name/id is not specified"),
        (["--network", "name=lab,ip=1.2.3.4", "--ip", "1.2.3.5"], "cannot specify both --ip and per-network ip"),
        (["--use-api-socket"], "--use-api-socket isn't carried out"),
        (["--disable-content-trust=false"], "no content trust"),
        (["--rm=maybe"], "true or false"),
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


def test_ports_are_read_by_dockers_grammar() -> None:
    words = [
        "-p",
        "127.0.0.1:8080:80",
        "-p",
        "5000-5001:6000-6001/udp",
        "-p",
        ":7000",
        "-p",
        "[::1]:1:2",
        "-p",
        "1-2:5",
    ]
    payload = payload_of(*words, "-p", "target=81,published=82,protocol=udp", "--expose", "80/tcp")
    assert payload["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "6000/udp": [{"HostIp": "", "HostPort": "5000"}],
        "6001/udp": [{"HostIp": "", "HostPort": "5001"}],
        "7000/tcp": [{"HostIp": "", "HostPort": ""}],
        "2/tcp": [{"HostIp": "::1", "HostPort": "1"}],
        "5/tcp": [{"HostIp": "", "HostPort": "1-2"}],
        "81/udp": [{"HostIp": "", "HostPort": "82"}],
    }
    assert set(payload["ExposedPorts"]) == set(payload["HostConfig"]["PortBindings"])


@pytest.mark.parametrize(
    ("word", "mount"),
    [
        ("dst=/a", {"Type": "volume", "Target": "/a"}),
        (
            "type=tmpfs,dst=/a,tmpfs-size=1m,tmpfs-mode=1770",
            {"Type": "tmpfs", "Target": "/a", "TmpfsOptions": {"SizeBytes": 2**20, "Mode": 0o1770}},
        ),
        (
            "type=bind,src=/,dst=/a,ro,bind-propagation=rslave,bind-recursive=disabled",
            {
                "Type": "bind", "Source": "/", "Target": "/a", "ReadOnly": True,
                "BindOptions": {"Propagation": "rslave", "NonRecursive": True},
            },
        ),
        (
            'volume-opt=o=size,"volume-label=a=b",src=data,target=/a,volume-nocopy,volume-driver=local',
            {
                "Type": "volume", "Source": "data", "Target": "/a",
                "VolumeOptions": {
                    "NoCopy": True, "Labels": {"a": "b"}, "DriverConfig": {"Name": "local", "Options": {"o": "size"}},
                },
            },
        ),
    ],
)  # fmt: skip
def test_mounts_are_read_by_dockers_grammar(word: str, mount: dict[str, Any]) -> None:
    assert payload_of("--mount", word)["HostConfig"]["Mounts"] == [mount]


def test_labels_come_from_files_first(tmp_path: Path) -> None:
    file = tmp_path / "labels"
    file.write_text("a=1\nb\n# c=3\n")
    assert payload_of("--label-file", str(file), "-l", "a=2")["Labels"] == {"a": "2", "b": ""}


def test_a_flag_may_be_told_its_value_and_the_last_word_counts() -> None:
    assert options_of("--rm=true", "img").rm and not options_of("--rm", "--rm=false", "img").rm
    assert options_of("--rm=false", "--rm", "img").rm
    assert not options_of("-it", "-t=false", "img").tty and options_of("-it", "-t=false", "img").interactive
    assert options_of("img").sig_proxy and not options_of("--sig-proxy=false", "img").sig_proxy
    assert options_of("--rm", "img", "ls", "--rm=false").command == ("ls", "--rm=false")
    assert options_of("--disable-content-trust", "img").image == "img"


def test_a_short_options_value_may_follow_an_equals_sign() -> None:
    options = options_of("-e=A=1", "-ie", "B=2", "-m=64m", "-l=", "img")
    assert (options.env, options.memory, options.label, options.interactive) == (
        ("A=1", "B=2"),
        64 * 2**20,
        ("",),
        True,
    )
