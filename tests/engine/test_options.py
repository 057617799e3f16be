"""Nothing is accepted and then ignored: each field of a request is carried out, or refused by its name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from containerlab.engine.bundle import BundleRequest, build_spec, write_files
from containerlab.engine.models import (
    BindOptions,
    ContainerConfig,
    DeviceMapping,
    HealthConfig,
    HostConfig,
    LogConfig,
    Mount,
    PortBinding,
    RestartPolicy,
    TmpfsOptions,
    Ulimit,
    VolumeOptions,
)
from containerlab.engine.mounts import plan_mounts
from containerlab.engine.options import check_request, network_mode
from containerlab.errors import HostLacks, InvalidParameter
from containerlab.runtime.constants import CGROUP2_SUPER_MAGIC
from containerlab.runtime.syscalls import has_type

MIB = 1 << 20

# One value of each field of HostConfig that isn't its default, and what is refused (a part of the message) or where it
# is carried out: "bundle" means that the OCI spec or the files beside it are other ones than without.
HOST: dict[str, tuple[Any, str]] = {
    "binds": (["/tmp:/b"], "bundle"),
    "container_id_file": ("/tmp/cid", "the client writes it"),
    "log_config": (LogConfig(type="none"), "log_options"),
    "network_mode": ("host", "bundle"),
    "port_bindings": ({"80/tcp": [PortBinding(host_port="80")]}, "network_plan"),
    "restart_policy": (RestartPolicy(name="always"), "restart"),
    "auto_remove": (True, "bundle"),
    "volume_driver": ("nfs", "refused: --volume-driver"),
    "volumes_from": (["other"], "creation"),
    "console_size": ([24, 80], "bundle"),
    "annotations": ({"a": "b"}, "bundle"),
    "cap_add": (["NET_ADMIN"], "bundle"),
    "cap_drop": (["CHOWN"], "bundle"),
    # Docker's default is private where the host has cgroup v2 alone.
    "cgroupns_mode": ("host" if has_type("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC) else "private", "bundle"),
    "dns": (["192.0.2.1"], "bundle"),
    "dns_options": (["ndots:9"], "bundle"),
    "dns_search": (["lab.example"], "bundle"),
    "extra_hosts": (["db:192.0.2.7"], "bundle"),
    "group_add": (["audio"], "bundle"),
    "ipc_mode": ("host", "bundle"),
    "cgroup": ("container:x", "refused: Cgroup"),
    "links": (["db"], "container_links"),
    "oom_score_adj": (500, "bundle"),
    "pid_mode": ("host", "bundle"),
    "privileged": (True, "bundle"),
    "publish_all_ports": (True, "network_plan"),
    "readonly_rootfs": (True, "bundle"),
    "security_opt": (["no-new-privileges"], "bundle"),
    "storage_opt": ({"size": "1G"}, "refused: --storage-opt"),
    "tmpfs": ({"/t": "size=1m"}, "bundle"),
    "uts_mode": ("host", "bundle"),
    "userns_mode": ("keep-id", "refused: --userns"),
    "shm_size": (MIB, "bundle"),
    "sysctls": ({"net.core.somaxconn": "7"}, "bundle"),
    "runtime": ("vm", "bundle"),
    "isolation": ("hyperv", "refused: Invalid isolation"),
    "cpu_shares": (512, "bundle"),
    "memory": (64 * MIB, "bundle"),
    "nano_cpus": (500_000_000, "bundle"),
    "cgroup_parent": ("/x", "refused: --cgroup-parent"),
    "blkio_weight": (100, "refused: --blkio-weight"),
    "blkio_weight_device": ([{"Path": "/dev/sda"}], "refused: --blkio-weight-device"),
    "blkio_device_read_bps": ([{"Path": "/dev/sda"}], "refused: --device-read-bps"),
    "blkio_device_write_bps": ([{"Path": "/dev/sda"}], "refused: --device-write-bps"),
    "blkio_device_read_iops": ([{"Path": "/dev/sda"}], "refused: --device-read-iops"),
    "blkio_device_write_iops": ([{"Path": "/dev/sda"}], "refused: --device-write-iops"),
    "cpu_period": (50_000, "bundle"),
    "cpu_quota": (50_000, "bundle"),
    "cpu_realtime_period": (1000, "refused: --cpu-rt-period"),
    "cpu_realtime_runtime": (1000, "refused: --cpu-rt-runtime"),
    "cpuset_cpus": ("0", "bundle"),
    "cpuset_mems": ("0", "bundle"),
    "devices": ([DeviceMapping(path_on_host="/dev/null", path_in_container="/dev/nothing")], "bundle"),
    "device_cgroup_rules": (["c 1:3 r"], "bundle"),
    "device_requests": ([{"Capabilities": [["gpu"]]}], "refused: [[gpu]]"),
    "kernel_memory": (MIB, "refused: --kernel-memory"),
    "kernel_memory_tcp": (MIB, "refused: KernelMemoryTCP"),
    "memory_reservation": (64 * MIB, "bundle"),
    "memory_swap": (-1, "bundle"),
    "memory_swappiness": (10, "bundle"),
    "oom_kill_disable": (True, "bundle"),
    "pids_limit": (7, "bundle"),
    "ulimits": ([Ulimit(name="nofile", soft=10, hard=20)], "bundle"),
    "cpu_count": (1, "refused: --cpu-count"),
    "cpu_percent": (1, "refused: --cpu-percent"),
    "io_maximum_iops": (1, "refused: --io-maxiops"),
    "io_maximum_bandwidth": (1, "refused: --io-maxbandwidth"),
    "mounts": ([Mount(type="tmpfs", target="/m")], "bundle"),
    "masked_paths": ([], "bundle"),
    "readonly_paths": ([], "bundle"),
    "init": (True, "bundle"),
}

# What an option needs beside it to make a difference.
BESIDE: dict[str, dict[str, Any]] = {"memory_swap": {"memory": 64 * MIB}}

CONFIG: dict[str, tuple[Any, str]] = {
    "hostname": ("box", "bundle"),
    "domainname": ("lab.example", "bundle"),
    "user": ("1000", "bundle"),
    "attach_stdin": (True, "the client's own note"),
    "attach_stdout": (True, "the client's own note"),
    "attach_stderr": (True, "the client's own note"),
    "exposed_ports": ({"80/tcp": {}}, "a note in Docker too"),
    "tty": (True, "bundle"),
    "open_stdin": (True, "lifecycle"),
    "stdin_once": (True, "lifecycle"),
    "env": (["A=1"], "bundle"),
    "cmd": (["true"], "bundle"),
    "healthcheck": (HealthConfig(test=["CMD", "true"]), "health"),
    "args_escaped": (True, "of Windows alone"),
    "image": ("other", "creation"),
    "volumes": ({"/v": {}}, "bundle"),
    "working_dir": ("/w", "bundle"),
    "entrypoint": (["env"], "bundle"),
    "network_disabled": (True, "refused: NetworkDisabled"),
    "mac_address": ("02:00:00:00:00:01", "network_plan"),
    "on_build": (["RUN x"], "a build's word"),
    "labels": ({"a": "1"}, "filters, views"),
    "stop_signal": ("SIGINT", "containers"),
    "stop_timeout": (3, "containers"),
    "shell": (["/bin/sh"], "a build's word"),
}


def outcome(folder: Path, config: ContainerConfig, host: HostConfig) -> str:
    """The whole bundle as text, without what is random."""
    plan = plan_mounts(config, host, (folder / "volumes").joinpath)
    request = BundleRequest(
        container_id="c" * 64,
        folder=folder,
        layers=folder / "layers",
        lower=["l/A"],
        config=config,
        host=host,
        plan=plan,
        pids_limit=4096,
        shm_size=64 * MIB,
        seccomp=lambda *granted: Path("/seccomp"),
    )
    spec = build_spec(request)
    write_files(request, spec)
    text = "".join((folder / name).read_text() for name in ("config.json", "hosts", "hostname", "resolv.conf"))
    for volume in plan.volumes:
        text = text.replace(volume.name, "VOLUME")
    return text.replace(str(folder), "FOLDER")


def test_every_field_of_the_request_has_been_thought_of() -> None:
    assert set(HOST) == {field.name for field in msgspec.structs.fields(HostConfig)}
    assert set(CONFIG) == {field.name for field in msgspec.structs.fields(ContainerConfig)}


def is_carried_out_or_refused(
    folder: Path, plain: tuple[ContainerConfig, HostConfig], asked: tuple[ContainerConfig, HostConfig], fate: str
) -> None:
    if fate.startswith("refused: "):
        with pytest.raises(InvalidParameter) as refused:
            check_request(*asked)
        assert fate.removeprefix("refused: ") in refused.value.message
        return
    check_request(*asked)
    if fate == "bundle":
        assert outcome(folder / "asked", *asked) != outcome(folder / "plain", *plain)


@pytest.mark.parametrize("name", HOST)
def test_a_host_option_is_carried_out_or_refused_by_name(tmp_path: Path, name: str) -> None:
    value, fate = HOST[name]
    plain = HostConfig(**BESIDE.get(name, {}))
    assert getattr(plain, name) != value
    config = ContainerConfig(cmd=["sh"], tty=name == "console_size")
    is_carried_out_or_refused(
        tmp_path, (config, plain), (config, msgspec.structs.replace(plain, **{name: value})), fate
    )


@pytest.mark.parametrize("name", CONFIG)
def test_an_option_of_the_container_is_carried_out_or_refused_by_name(tmp_path: Path, name: str) -> None:
    value, fate = CONFIG[name]
    plain = ContainerConfig(cmd=["sh"])
    asked = msgspec.structs.replace(plain, **{name: value})
    is_carried_out_or_refused(tmp_path, (plain, HostConfig()), (asked, HostConfig()), fate)


@pytest.mark.parametrize("model", [BindOptions, VolumeOptions, TmpfsOptions])
def test_every_option_of_a_mount_has_been_thought_of(model: type[msgspec.Struct]) -> None:
    known = {
        BindOptions: {
            "propagation",
            "non_recursive",
            "create_mountpoint",
            "read_only_non_recursive",
            "read_only_force_recursive",
        },
        VolumeOptions: {"no_copy", "labels", "driver_config", "subpath"},
        TmpfsOptions: {"size_bytes", "mode", "options"},
    }
    assert {field.name for field in msgspec.structs.fields(model)} == known[model]


def check(config: dict[str, Any] | None = None, **host: Any) -> None:
    check_request(ContainerConfig(cmd=["sh"], **(config or {})), HostConfig(**host))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", "default"),
        ("default", "default"),
        ("bridge", "default"),
        ("none", "none"),
        ("host", "host"),
        ("container:web", "container:web"),
        ("lab", "lab"),
    ],
)
def test_a_network_mode_is_one_of_three_another_container_s_or_a_network_s(asked: str, expected: str) -> None:
    assert network_mode(HostConfig(network_mode=asked)) == expected


CPUS = os.cpu_count() or 1


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ({"memory": 1}, "Minimum memory limit allowed is 6MB"),
        ({"memory": 6 * MIB - 1}, "Minimum memory limit allowed is 6MB"),
        ({"memory_reservation": MIB}, "Minimum memory reservation allowed is 6MB"),
        ({"memory_swap": 64 * MIB}, "You should always set the Memory limit when using Memoryswap limit, see usage"),
        ({"memory": 64 * MIB, "memory_swap": 32 * MIB}, "Minimum memoryswap limit should be larger than memory limit"),
        (
            {"memory": 64 * MIB, "memory_reservation": 65 * MIB},
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        ({"nano_cpus": (CPUS + 1) * 10**9}, rf"Range of CPUs is from 0.01 to {CPUS}.00, as there are only {CPUS} CPUs"),
        ({"nano_cpus": -1}, "Range of CPUs"),
        ({"nano_cpus": 10**9, "cpu_quota": 1000}, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
        ({"nano_cpus": 10**9, "cpu_period": 1000}, "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
        ({"cpu_period": 999}, "CPU cfs period can not be less than 1ms"),
        ({"cpu_period": 1_000_001}, "CPU cfs period can not be less than 1ms"),
        ({"cpu_quota": 999}, "CPU cfs quota can not be less than 1ms"),
        ({"oom_score_adj": 1001}, r"Invalid value 1001, range for oom score adj is \[-1000, 1000\]"),
        ({"oom_score_adj": -1001}, "range for oom score adj"),
        ({"shm_size": -1}, "SHM size can not be less than 0"),
        ({"pid_mode": "foo"}, "invalid PID mode: foo"),
        ({"ipc_mode": "foo"}, "invalid IPC mode: foo"),
        ({"uts_mode": "none"}, "invalid UTS mode: none"),
        ({"cgroupns_mode": "foo"}, "invalid cgroup namespace mode: foo"),
        ({"ipc_mode": "container:web"}, "--ipc container:web: joining another container isn't carried out"),
        ({"runtime": "gvisor"}, "unknown or invalid runtime name: gvisor"),
        ({"log_config": LogConfig(type="syslog")}, "no log driver named 'syslog'"),
        ({"log_config": LogConfig(config={"foo": "1"})}, "unknown log opt 'foo' for json-file log driver"),
        ({"log_config": LogConfig(config={"max-size": "many"})}, "max-size"),
        ({"log_config": LogConfig(config={"max-file": "0"})}, "max-file cannot be less than 1"),
        ({"extra_hosts": ["db"]}, 'bad format for add-host: "db"'),
        ({"extra_hosts": [":1.2.3.4"]}, "bad format for add-host"),
        ({"extra_hosts": ["db:host-gateway"]}, 'invalid IP address in add-host: "host-gateway"'),
        ({"extra_hosts": ["db:1.2.3.4\n5.6.7.8 evil"]}, "invalid IP address in add-host"),
        ({"sysctls": {"kernel.panic": "1"}}, "sysctl 'kernel.panic' is not in a separate kernel namespace"),
        ({"sysctls": {"vm.swappiness": "1"}}, "is not in a separate kernel namespace"),
        (
            {"sysctls": {"net.core.somaxconn": "1"}, "network_mode": "host"},
            "sysctl 'net.core.somaxconn' not allowed in host network namespace",
        ),
        ({"sysctls": {"kernel.msgmax": "1"}, "ipc_mode": "host"}, "not allowed in host ipc namespace"),
        ({"security_opt": ["foo=bar"]}, "invalid --security-opt 2: 'foo=bar'"),
        ({"annotations": {"containerlab.seccomp": "/tmp/x"}}, "invalid annotation 'containerlab.seccomp'"),
        ({"annotations": {"": "x"}}, "invalid annotation ''"),
        ({"restart_policy": RestartPolicy(name="sometimes")}, "unknown policy 'sometimes'"),
        ({"security_opt": ["no-new-privileges:maybe"]}, "invalid --security-opt 2: 'no-new-privileges:maybe'"),
        ({"restart_policy": RestartPolicy(name="always"), "auto_remove": True}, "can't create 'AutoRemove' container"),
    ],
)
def test_a_value_that_can_t_be_is_refused_in_docker_s_words(host: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        check(**host)


@pytest.mark.parametrize(
    ("config", "host", "message"),
    [
        ({"stop_signal": "SIGFOO"}, {}, "^Invalid signal: SIGFOO$"),
        ({"working_dir": "rel"}, {}, "the working directory 'rel' is invalid, it needs to be an absolute path"),
        ({"hostname": "a" * 65}, {}, "more than 64 characters"),
        ({"hostname": "a"}, {"uts_mode": "host"}, "conflicting options: hostname and the UTS mode"),
        ({"healthcheck": HealthConfig(test=["SHELL", "x"])}, {}, "Unknown healthcheck type"),
        ({"healthcheck": HealthConfig(interval=1)}, {}, "Interval in Healthcheck cannot be less than 1ms"),
        ({"healthcheck": HealthConfig(retries=-1)}, {}, "Retries in Healthcheck cannot be negative"),
    ],
)
def test_a_value_of_the_container_that_can_t_be_is_refused(
    config: dict[str, Any], host: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidParameter, match=message):
        check(config, **host)


@pytest.mark.parametrize("option", ["apparmor=docker-default", "seccomp=/no/such/file", "label=type:x"])
def test_a_profile_that_is_not_there_is_what_the_host_lacks(option: str) -> None:
    with pytest.raises(HostLacks, match=r"this engine has no .* profile of that name"):
        check(security_opt=[option])


@pytest.mark.parametrize(
    "host",
    [
        {"security_opt": ["seccomp=unconfined", "apparmor:unconfined", "label=disable", "no-new-privileges:true"]},
        {"security_opt": ["seccomp=builtin"]},
        {"extra_hosts": ["a:1.2.3.4", "b=::1", "c:[::1]", "d:::1"]},
        {
            "sysctls": {
                "kernel.shmmax": "1",
                "fs.mqueue.msg_max": "9",
                "kernel.hostname": "x",
                "net.ipv4.ip_forward": "1",
            }
        },
        {"memory": 6 * MIB, "memory_swap": -1},
        {"memory": 64 * MIB, "memory_swap": 64 * MIB, "memory_reservation": 32 * MIB},
        {"nano_cpus": CPUS * 10**9},
        {"cpu_period": 1000, "cpu_quota": -1},
        {"memory_swappiness": -1, "oom_kill_disable": False, "isolation": "default", "volume_driver": "local"},
        {"log_config": LogConfig(config={"max-size": "10m", "max-file": "3"})},
        {"log_config": LogConfig(type="local")},
        {"pid_mode": "private", "ipc_mode": "shareable", "cgroupns_mode": "private"},
        {"runtime": "runc"},
        {"userns_mode": "host"},
        {"pid_mode": "container:web", "network_mode": "container:web"},
        {"port_bindings": {}},
    ],
)
def test_what_docker_takes_is_taken(host: dict[str, Any]) -> None:
    check(**host)


def test_an_option_that_is_not_carried_out_can_be_said_again_with_its_default() -> None:
    """As clients send it that fill in every field."""
    spelled = msgspec.convert(json.loads(msgspec.json.encode(HostConfig())), HostConfig)
    check_request(ContainerConfig(cmd=["sh"]), spelled)
