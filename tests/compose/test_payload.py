"""A service's create request: every field of the model has a place in it, or is somebody else's to carry out."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from containerlab.compose import model, payload
from containerlab.compose.model import (
    Healthcheck,
    IpamPool,
    Mount,
    Network,
    NetworkUse,
    Port,
    Project,
    Service,
    Ulimit,
    Volume,
)

ELSEWHERE = {
    "name": "the container's name", "build": "commands/compose/images", "deploy": "limits stand in the service itself",
    "depends_on": "plan", "scale": "plan", "profiles": "load", "attach": "commands/compose/attached",
    "secrets": "blobs", "configs": "blobs",
    "pull_policy": "commands/compose/images", "platform": "deeds: a parameter of the request", "labels": "labels",
}  # fmt: skip


def project(service: Service) -> Project:
    return Project(
        name="p", working_dir=Path("/p"), services={service.name: service}, volumes={"data": Volume(name="p_data")},
        networks={"back": Network(name="p_back"), "front": Network(name="p_front")},
    )  # fmt: skip


def made(**said: object) -> payload.Payload:
    service = Service(name="web", image="i", **said)
    return payload.create_payload(project(service), service, 2, said={"a": "b"}, container_of=lambda name: f"id-{name}")


@pytest.mark.parametrize("field", [name for name in model.Service.__struct_fields__ if name not in ELSEWHERE])
def test_every_field_is_in_the_request(field: str) -> None:
    assert f"service.{field}" in inspect.getsource(payload)


def test_what_a_program_is_told() -> None:
    body = made(
        command=("a", "b"), entrypoint=(), environment={"A": "1", "GONE": None}, stop_grace_period=1_500_000_000
    )
    assert (body["Cmd"], body["Entrypoint"], body["Env"]) == (["a", "b"], [], ["A=1", "GONE"])
    assert body["StopTimeout"] == 2, "whole seconds, never less than the file says"
    assert "Cmd" not in made() and body["Labels"] == {"a": "b"}


def test_the_first_network_is_the_mode_and_has_the_names() -> None:
    uses = {"front": NetworkUse(), "back": NetworkUse(priority=10, aliases=("db",), ipv4_address="10.0.0.2")}
    body = made(networks=uses)
    assert body["HostConfig"]["NetworkMode"] == "p_back"
    assert body["NetworkingConfig"]["EndpointsConfig"] == {
        "p_back": {"Aliases": ["p-web-2", "web", "db"], "IPAMConfig": {"IPv4Address": "10.0.0.2"}}
    }
    assert payload.extra_networks(Service(name="web", networks=uses)) == ["front"]
    assert made(network_mode="service:db")["HostConfig"]["NetworkMode"] == "container:id-db"
    assert "NetworkingConfig" not in made(network_mode="none")


def test_short_volumes_are_binds_and_long_ones_mounts() -> None:
    body = made(
        volumes=(
            Mount(type="volume", source="data", target="/data", short=True),
            Mount(type="bind", source="/src", target="/app", read_only=True, create_host_path=True),
            Mount(type="bind", source="/must", target="/be"), Mount(type="volume", target="/anonymous"),
            Mount(type="tmpfs", target="/t", tmpfs_size=10),
        )
    )  # fmt: skip
    assert body["HostConfig"]["Binds"] == ["p_data:/data:rw", "/src:/app:ro"]
    assert body["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": "/must", "Target": "/be"},
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 10}},
    ]
    assert body["Volumes"] == {"/anonymous": {}}


def test_ports_limits_health_and_restarts() -> None:
    body = made(
        ports=(Port(target=80, published="8080-8090", host_ip="127.0.0.1"), Port(target=53, protocol="udp")),
        expose=("90-91",), cpus=0.5, mem_limit=1 << 20, ulimits={"nofile": Ulimit(soft=1, hard=2)},
        healthcheck=Healthcheck(test=("CMD", "x"), interval=10), restart="on-failure:3",
    )  # fmt: skip
    host = body["HostConfig"]
    assert host["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080-8090"}], "53/udp": [{"HostIp": "", "HostPort": ""}],
    }  # fmt: skip
    assert set(body["ExposedPorts"]) == {"80/tcp", "53/udp", "90/tcp", "91/tcp"}
    assert (host["NanoCpus"], host["Memory"]) == (500_000_000, 1 << 20)
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 1, "Hard": 2}]
    assert body["Healthcheck"] == {"Test": ["CMD", "x"], "Interval": 10}
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert made(healthcheck=Healthcheck(disable=True))["Healthcheck"] == {"Test": ["NONE"]}


def test_a_network_with_addresses_of_its_own() -> None:
    network = Network(name="p_lab", internal=True, ipam=(IpamPool(subnet="10.5.0.0/24", gateway="10.5.0.1"),))
    body = payload.network_payload(network, {"a": "b"})
    assert body["IPAM"]["Config"] == [{"Subnet": "10.5.0.0/24", "Gateway": "10.5.0.1"}]
    assert (body["Name"], body["Driver"], body["Internal"], body["Labels"]) == ("p_lab", "bridge", True, {"a": "b"})
