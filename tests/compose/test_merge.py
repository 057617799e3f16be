"""Several files over one another, by the specification's rules."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from containerlab.compose.model import Mount, Port, Service
from containerlab.errors import ComposeError
from tests.compose.projects import loaded_files, write


def merged(folder: Path, below: str, above: str) -> Service:
    """The service ``web`` of two files; both texts stand below its name."""
    for name, text in (("a.yaml", below), ("b.yaml", above)):
        body = "services:\n  web:\n    image: busybox\n" + textwrap.indent(textwrap.dedent(text), "    ")
        write(folder, {name: body})
    return loaded_files(folder, "a.yaml", "b.yaml", profiles=["*"]).services["web"]


@pytest.mark.parametrize("field", ["command", "entrypoint"])
def test_a_command_is_replaced(tmp_path: Path, field: str) -> None:
    web = merged(tmp_path, f"{field}: [a, b]", f"{field}: c")
    assert getattr(web, field) == ("c",)


def test_a_healthcheck_s_test_is_replaced_and_the_rest_merged(tmp_path: Path) -> None:
    web = merged(tmp_path, "healthcheck: {test: [CMD, a], retries: 3}", "healthcheck: {test: b}")
    assert web.healthcheck and (web.healthcheck.test, web.healthcheck.retries) == (("CMD-SHELL", "b"), 3)


@pytest.mark.parametrize("field", ["environment", "labels", "annotations", "sysctls"])
def test_mappings_merge_whatever_their_form(tmp_path: Path, field: str) -> None:
    web = merged(tmp_path, f"{field}: [A=1, B=1]", f"{field}: {{B: 2, C: 3}}")
    assert getattr(web, field) == {"A": "1", "B": "2", "C": "3"}


def test_a_variable_may_lose_its_value(tmp_path: Path) -> None:
    assert merged(tmp_path, "environment: {A: 1}", "environment: [A]").environment == {"A": None}


def test_null_above_leaves_what_is_below(tmp_path: Path) -> None:
    web = merged(tmp_path, "hostname: a\ndns: [10.0.0.1]", "hostname:\ndns:\ncommand:")
    assert (web.hostname, web.dns) == ("a", ("10.0.0.1",))


@pytest.mark.parametrize(
    "field", ["cap_add", "dns", "dns_search", "expose", "profiles", "security_opt", "tmpfs", "extra_hosts"]
)
def test_lists_are_appended_to_and_say_nothing_twice(tmp_path: Path, field: str) -> None:
    values = ["h:10.0.0.1", "i:10.0.0.2"] if field == "extra_hosts" else ["80", "81"]
    web = merged(tmp_path, f"{field}: ['{values[0]}']", f"{field}: ['{values[0]}', '{values[1]}']")
    assert getattr(web, field) == tuple(values)


def test_ports_differ_by_address_published_target_and_protocol(tmp_path: Path) -> None:
    web = merged(tmp_path, "ports: ['80:80', '81:81']", "ports: ['80:80', '8080:80', '80:80/udp', '127.0.0.1:80:80']")
    published = [(port.published, port.protocol, port.host_ip) for port in web.ports]
    assert published == [
        ("80", "tcp", ""),
        ("81", "tcp", ""),
        ("8080", "tcp", ""),
        ("80", "udp", ""),
        ("80", "tcp", "127.0.0.1"),
    ]


def test_a_range_of_ports_meets_its_single_ports(tmp_path: Path) -> None:
    web = merged(tmp_path, "ports: ['80-82:80-82']", "ports: [{target: 81, published: 81}]")
    assert web.ports == tuple(Port(target=port, published=str(port)) for port in (80, 81, 82))


def test_one_mount_for_each_target(tmp_path: Path) -> None:
    web = merged(tmp_path, "volumes: [./a:/x, /y]", "volumes: ['./b:/x/:ro', {type: tmpfs, target: /z}]")
    assert [(mount.type, mount.source, mount.target, mount.read_only) for mount in web.volumes] == [
        ("bind", str(tmp_path / "b"), "/x", True),
        ("volume", "", "/y", False),
        ("tmpfs", "", "/z", False),
    ]
    assert isinstance(web.volumes[0], Mount)


def test_one_device_for_each_target(tmp_path: Path) -> None:
    web = merged(tmp_path, "devices: ['/dev/null:/dev/x', /dev/zero]", "devices: ['/dev/full:/dev/x:r']")
    assert [(device.source, device.target, device.permissions) for device in web.devices] == [
        ("/dev/full", "/dev/x", "r"),
        ("/dev/zero", "/dev/zero", "rwm"),
    ]


def test_depends_on_and_networks_merge_by_name(tmp_path: Path) -> None:
    more = "\n  db: {image: x}\n  mq: {image: x}\nnetworks: {one: , two: }\n"
    below = "services:\n  web:\n    image: x\n    depends_on: [db]\n    networks: {one: {aliases: [a]}}"
    above = "services:\n  web:\n    depends_on: {db: {condition: service_healthy}, mq: {condition: service_started}}\n    networks: {one: {aliases: [b, a]}, two: }\n"
    write(tmp_path, {"a.yaml": below + more, "b.yaml": above})
    web = loaded_files(tmp_path, "a.yaml", "b.yaml").services["web"]
    assert {name: other.condition for name, other in web.depends_on.items()} == {
        "db": "service_healthy",
        "mq": "service_started",
    }
    assert web.networks["one"].aliases == ("a", "b") and "two" in web.networks


def test_logging_options_merge_under_one_driver_alone(tmp_path: Path) -> None:
    below = "logging: {driver: json-file, options: {max-size: 1m}}"
    same = merged(tmp_path, below, "logging: {options: {max-file: '2'}}").logging
    other = merged(tmp_path, below, "logging: {driver: local, options: {max-file: '2'}}").logging
    assert same and same.options == {"max-size": "1m", "max-file": "2"}
    assert other and other.options == {"max-file": "2"}


def test_a_ulimit_is_replaced_whole(tmp_path: Path) -> None:
    web = merged(tmp_path, "ulimits: {nofile: {soft: 1, hard: 2}, nproc: 5}", "ulimits: {nofile: 7}")
    assert {name: (limit.soft, limit.hard) for name, limit in web.ulimits.items()} == {
        "nofile": (7, 7),
        "nproc": (5, 5),
    }


def test_a_build_s_short_form_merges_with_its_long_one(tmp_path: Path) -> None:
    build = merged(tmp_path, "build: ./a", "build: {args: [A=1], target: t}").build
    assert build and (build.context, build.args, build.target) == (str(tmp_path / "a"), {"A": "1"}, "t")


def test_reset_takes_a_field_away(tmp_path: Path) -> None:
    web = merged(
        tmp_path,
        "ports: ['80:80']\nenvironment: {A: 1, B: 1}\nhostname: h\ncommand: x",
        "ports: !reset []\nenvironment: {A: !reset null}\nhostname: !reset ''\ncommand: !reset null",
    )
    assert (web.ports, web.environment, web.hostname, web.command) == ((), {"B": "1"}, "", None)


def test_override_replaces_a_field(tmp_path: Path) -> None:
    web = merged(
        tmp_path, "ports: ['80:80']\nenvironment: {A: 1}", "ports: !override ['81:81']\nenvironment: !override\n  B: 2"
    )
    assert ([port.target for port in web.ports], web.environment) == ([81], {"B": "2"})


def test_a_service_may_be_reset(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "services: {web: {image: x}, db: {image: y}}", "b.yaml": "services: {db: !reset null}"})
    assert list(loaded_files(tmp_path, "a.yaml", "b.yaml").services) == ["web"]


def test_address_pools_are_told_apart_by_subnet(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.yaml": "services: {w: {image: x}}\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}, {subnet: 10.0.1.0/24}]}}}",
            "b.yaml": "networks: {n: {ipam: {config: [{subnet: 10.0.1.0/24, gateway: 10.0.1.9}, {subnet: 10.0.2.0/24}]}}}",
        },
    )
    pools = loaded_files(tmp_path, "a.yaml", "b.yaml").networks["n"].ipam
    assert [(pool.subnet, pool.gateway) for pool in pools] == [
        ("10.0.0.0/24", ""),
        ("10.0.1.0/24", "10.0.1.9"),
        ("10.0.2.0/24", ""),
    ]


def test_documents_of_one_file_merge_like_files(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "services: {web: {image: a, command: x}}\n---\nservices: {web: {image: b}}\n"})
    web = loaded_files(tmp_path, "a.yaml").services["web"]
    assert (web.image, web.command) == ("b", ("x",))


def test_a_mapping_cannot_take_a_list_s_place_and_both_places_are_said(tmp_path: Path) -> None:
    with pytest.raises(ComposeError) as raised:
        merged(tmp_path, "dns_opt: [a]", "dns_opt: {a: 1}")
    assert raised.value.line == 4 and raised.value.file.endswith("b.yaml")
    assert (
        f"cannot override services.web.dns_opt: it is written as a list at {tmp_path / 'a.yaml'}:4:"
        in raised.value.message
    )


def test_paths_of_every_file_start_at_the_project_s_folder(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "services: {web: {image: x}}", "sub/b.yaml": "services: {web: {volumes: [./d:/d]}}"})
    web = loaded_files(tmp_path, "a.yaml", "sub/b.yaml").services["web"]
    assert web.volumes[0].source == str(tmp_path / "d")


def test_an_error_of_a_merged_value_is_said_in_the_file_that_holds_it(tmp_path: Path) -> None:
    with pytest.raises(ComposeError) as raised:
        merged(tmp_path, "mem_limit: 1m\ntty: maybe", "mem_limit: 2m")
    assert raised.value.file.endswith("a.yaml") and raised.value.line == 5
