"""What comes over the wire becomes a struct, as leniently as Docker's engine does it, and goes back under its names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from containerlab.engine.models import (
    ContainerConfig,
    DeviceMapping,
    EndpointConfig,
    ExecConfig,
    HealthConfig,
    HostConfig,
    LogConfig,
    Mount,
    NetworkingConfig,
    PortBinding,
    RestartPolicy,
    decode,
    encode,
)
from containerlab.errors import InvalidParameter

# What `docker inspect` of Docker 20.10 (API 1.41) shows.
HOST_NAMES = """
    AutoRemove Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeight
    BlkioWeightDevice CapAdd CapDrop Cgroup CgroupParent CgroupnsMode ConsoleSize ContainerIDFile CpuCount CpuPercent
    CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpuShares CpusetCpus CpusetMems DeviceCgroupRules
    DeviceRequests Devices Dns DnsOptions DnsSearch ExtraHosts GroupAdd IOMaximumBandwidth IOMaximumIOps IpcMode
    Isolation KernelMemory KernelMemoryTCP Links LogConfig MaskedPaths Memory MemoryReservation MemorySwap
    MemorySwappiness Mounts NanoCpus NetworkMode OomKillDisable OomScoreAdj PidMode PidsLimit PortBindings Privileged
    PublishAllPorts ReadonlyPaths ReadonlyRootfs RestartPolicy Runtime SecurityOpt ShmSize Tmpfs UTSMode Ulimits
    UsernsMode VolumeDriver VolumesFrom
"""
CONFIG_NAMES = """
    Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce Env Cmd
    Healthcheck ArgsEscaped Image Volumes WorkingDir Entrypoint NetworkDisabled MacAddress OnBuild Labels StopSignal
    StopTimeout Shell
"""


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (HostConfig(), f"{HOST_NAMES} Annotations Init StorageOpt Sysctls"),
        (ContainerConfig(), CONFIG_NAMES),
        (HealthConfig(), "Test Interval Timeout Retries StartPeriod StartInterval"),
        (LogConfig(), "Type Config"),
        (RestartPolicy(), "Name MaximumRetryCount"),
        (PortBinding(), "HostIp HostPort"),
        (DeviceMapping(path_on_host="x"), "PathOnHost PathInContainer CgroupPermissions"),
        (
            Mount(type="bind"),
            "Type Source Target ReadOnly Consistency BindOptions VolumeOptions TmpfsOptions",
        ),
        (EndpointConfig(), "IPAMConfig Links Aliases NetworkID IPAddress MacAddress DriverOpts GwPriority"),
        (
            ExecConfig(),
            "AttachStdin AttachStdout AttachStderr DetachKeys Tty Env Cmd Privileged User WorkingDir ConsoleSize",
        ),
    ],
)
def test_a_struct_has_docker_s_names(model: msgspec.Struct, names: str) -> None:
    assert set(encode(model)) == set(names.split())


@pytest.mark.parametrize("data", [None, {}, {"Cmd": None, "Env": None, "Tty": None}, {"Unknown": [1], "cmd2": 1}])
def test_nothing_null_and_unknown_are_the_defaults(data: object) -> None:
    assert decode(ContainerConfig, data) == ContainerConfig()


def test_every_field_may_be_null() -> None:
    for model in (ContainerConfig, HostConfig, HealthConfig, NetworkingConfig, ExecConfig):
        assert decode(model, dict.fromkeys(encode(model()))) == model()


@pytest.mark.parametrize("model", [ContainerConfig(cmd=["x"], tty=True), HostConfig(memory=1, binds=["/a:/b"])])
def test_what_is_encoded_is_decoded_to_the_same(model: Any) -> None:
    assert decode(type(model), encode(model)) == model


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        ({"Cmd": "sh"}, "cmd", ["sh"]),
        ({"Cmd": ["sh", "-c"]}, "cmd", ["sh", "-c"]),
        ({"Cmd": []}, "cmd", []),
        ({"Entrypoint": ""}, "entrypoint", [""]),
        ({"Shell": "sh"}, "shell", ["sh"]),
        ({"cmd": ["sh"]}, "cmd", ["sh"]),
        ({"WORKINGDIR": "/x"}, "working_dir", "/x"),
        ({"Env": ["A=1"], "env": ["A=2"]}, "env", ["A=2"]),
        ({"env": ["A=2"], "Env": ["A=1"]}, "env", ["A=1"]),
        ({"Volumes": {"/v": {}, "/w": None}}, "volumes", {"/v": {}, "/w": None}),
        ({"ExposedPorts": {"80/tcp": None}}, "exposed_ports", {"80/tcp": None}),
        ({"Healthcheck": {"Test": ["NONE"], "Interval": None}}, "healthcheck", HealthConfig(test=["NONE"])),
        ({"StopTimeout": 0}, "stop_timeout", 0),
    ],
)
def test_a_container_s_configuration_is_read_as_docker_reads_it(
    data: dict[str, Any], name: str, expected: object
) -> None:
    assert getattr(decode(ContainerConfig, data), name) == expected


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        ({"CapAdd": "NET_ADMIN"}, "cap_add", ["NET_ADMIN"]),
        ({"CapDrop": ["ALL"]}, "cap_drop", ["ALL"]),
        ({"PortBindings": {"80/tcp": None}}, "port_bindings", {"80/tcp": None}),
        ({"PortBindings": {"80/tcp": []}}, "port_bindings", {"80/tcp": []}),
        (
            {"PortBindings": {"80/tcp": [{"HostPort": "1", "HostIp": None}]}},
            "port_bindings",
            {"80/tcp": [PortBinding(host_port="1")]},
        ),
        (
            {"PortBindings": {"80/tcp": [{"hostport": "1", "x": 1}]}},
            "port_bindings",
            {"80/tcp": [PortBinding(host_port="1")]},
        ),
        (
            {"RestartPolicy": {"Name": None, "MaximumRetryCount": 3}},
            "restart_policy",
            RestartPolicy(maximum_retry_count=3),
        ),
        ({"RestartPolicy": None}, "restart_policy", RestartPolicy()),
        ({"LogConfig": {"Type": "none", "Config": None}}, "log_config", LogConfig(type="none")),
        (
            {"Mounts": [{"Type": "tmpfs", "Target": "/t", "BindOptions": None}]},
            "mounts",
            [Mount(type="tmpfs", target="/t")],
        ),
        (
            {"Devices": [{"PathOnHost": "/dev/x", "PathInContainer": None}]},
            "devices",
            [DeviceMapping(path_on_host="/dev/x")],
        ),
        ({"ConsoleSize": [24, 80]}, "console_size", [24, 80]),
        ({"MaskedPaths": []}, "masked_paths", []),
        ({"MaskedPaths": None}, "masked_paths", None),
        ({"Tmpfs": {"/t": ""}}, "tmpfs", {"/t": ""}),
    ],
)
def test_a_host_configuration_is_read_as_docker_reads_it(data: dict[str, Any], name: str, expected: object) -> None:
    assert getattr(decode(HostConfig, data), name) == expected


def test_an_endpoint_may_be_null_and_hold_nulls() -> None:
    sent = {"EndpointsConfig": {"none": None, "lab": {"IPAMConfig": None, "Aliases": None, "DriverOpts": None}}}
    assert decode(NetworkingConfig, sent).endpoints_config == {"none": None, "lab": EndpointConfig()}


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ([], "object"),
        ("x", "object"),
        ({"Tty": "yes"}, "Tty"),
        ({"Cmd": 1}, "Cmd"),
        ({"Cmd": [1]}, "Cmd"),
        ({"Env": {"A": "1"}}, "Env"),
        ({"Env": "A=1"}, "Env"),
        ({"Labels": {"a": 1}}, "Labels"),
        ({"StopTimeout": "3"}, "StopTimeout"),
        ({"StopTimeout": 1.5}, "StopTimeout"),
        ({"Healthcheck": {"Retries": "x"}}, "Healthcheck.Retries"),
    ],
)
def test_a_wrong_type_is_a_bad_request_that_names_its_place(data: object, place: str) -> None:
    with pytest.raises(InvalidParameter, match=place) as refused:
        decode(ContainerConfig, data)
    assert refused.value.message.startswith("invalid request: ")


def test_what_must_be_said_is_asked_for_by_name() -> None:
    with pytest.raises(InvalidParameter, match="Name"):
        decode(HostConfig, {"Ulimits": [{"Soft": 1, "Hard": 1}]})


def test_two_structs_share_no_default() -> None:
    one, other = HostConfig(), HostConfig()
    one.binds.append("x")
    one.tmpfs["/t"] = ""
    one.console_size[0] = 1
    assert other == HostConfig()
