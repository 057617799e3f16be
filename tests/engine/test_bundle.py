"""The OCI spec and the small files of a handful of requests."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containerlab.engine import bundle
from containerlab.engine.bundle import BundleRequest, build_spec, hostname_of, write_files
from containerlab.engine.models import ContainerConfig, DeviceMapping, HostConfig, Ulimit
from containerlab.engine.mounts import plan_mounts
from containerlab.errors import InvalidParameter
from containerlab.runtime.cgroups import driver
from containerlab.runtime.spec import MASKED_PATHS, READONLY_PATHS

ID = "0123456789ab" * 5 + "cdef"
MIB = 1 << 20
Make = Callable[..., BundleRequest]


@pytest.fixture
def request_for(tmp_path: Path) -> Make:
    """``request_for({config…}, host options…)``."""

    def make(config: dict[str, Any] | None = None, **host: Any) -> BundleRequest:
        made = ContainerConfig(**{"cmd": ["sh", "-c", "x"], **(config or {})})
        options = HostConfig(**host)
        return BundleRequest(
            container_id=ID,
            folder=tmp_path / "c",
            layers=tmp_path / "layers",
            lower=["l/TOP", "l/BASE"],
            config=made,
            host=options,
            plan=plan_mounts(made, options, (tmp_path / "volumes").joinpath),
            pids_limit=4096,
            shm_size=64 * MIB,
            seccomp=lambda granted, own: Path(f"/filters/{len(granted)}{own}"),
        )

    return make


@pytest.fixture
def spec_for(request_for: Make) -> Callable[..., dict[str, Any]]:
    return lambda *config, **host: build_spec(request_for(*config, **host))


SpecFor = Callable[..., dict[str, Any]]


def mount_at(spec: dict[str, Any], destination: str) -> dict[str, Any] | None:
    found = [entry for entry in spec["mounts"] if entry["destination"] == destination]
    assert len(found) < 2
    return found[0] if found else None


def namespaces(spec: dict[str, Any]) -> set[str]:
    return {entry["type"] for entry in spec["linux"]["namespaces"]}


def test_a_plain_request_is_docker_s_default(spec_for: SpecFor, tmp_path: Path) -> None:
    spec = spec_for()
    process = spec["process"]
    assert process["args"] == ["sh", "-c", "x"]
    assert process["env"] == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=0123456789ab",
    ]
    assert (process["cwd"], process["terminal"], process["noNewPrivileges"]) == ("/", False, False)
    assert len(process["capabilities"]["bounding"]) == 14
    assert "inheritable" not in process["capabilities"]
    assert spec["hostname"] == "0123456789ab"
    assert spec["root"]["readonly"] is False
    assert {"mount", "network", "uts", "pid", "ipc"} <= namespaces(spec)
    assert set(MASKED_PATHS) <= set(spec["linux"]["maskedPaths"])
    assert spec["linux"]["readonlyPaths"] == list(READONLY_PATHS)
    assert spec["linux"]["sysctl"]["net.ipv4.ip_unprivileged_port_start"] == "0"
    assert spec["annotations"]["containerlab.seccomp"] == "/filters/14"
    overlay = json.loads(spec["annotations"]["containerlab.overlay"])
    assert overlay == {
        "layers": str(tmp_path / "layers"),
        "lower": ["l/TOP", "l/BASE"],
        "upper": str(tmp_path / "c/upper"),
        "work": str(tmp_path / "c/work"),
        "volatile": False,
    }


@pytest.mark.parametrize("auto_remove", [True, False])
def test_only_what_removes_itself_is_mounted_volatile(spec_for: SpecFor, auto_remove: bool) -> None:
    spec = spec_for(auto_remove=auto_remove)
    assert json.loads(spec["annotations"]["containerlab.overlay"])["volatile"] is auto_remove


def test_processes_are_bounded_unless_the_request_says_otherwise(spec_for: SpecFor) -> None:
    def bound(**host: Any) -> Any:
        spec = spec_for(**host)
        rlimits = {each["type"]: each["soft"] for each in spec["process"]["rlimits"]}
        return spec["linux"]["resources"].get("pids", {}).get("limit") or rlimits.get("RLIMIT_NPROC")

    assert bound(pids_limit=7) == 7
    assert bound(pids_limit=-1) is None
    if "pids" in driver().controllers:
        assert bound() == bound(pids_limit=0) == 4096
    else:
        assert 0 < bound() <= 4096


def test_privileged_lifts_masks_filter_and_device_rules(spec_for: SpecFor) -> None:
    spec = spec_for(privileged=True)
    linux = spec["linux"]
    assert (linux["maskedPaths"], linux["readonlyPaths"]) == ([], [])
    assert "containerlab.seccomp" not in spec["annotations"]
    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert "ro" not in (mount_at(spec, "/sys") or {})["options"]


def test_a_seccomp_profile_of_one_s_own_holds_for_a_privileged_container_too(spec_for: SpecFor) -> None:
    spec = spec_for(privileged=True, security_opt=["seccomp={}"])
    assert spec["annotations"]["containerlab.seccomp"].endswith("{}")


def test_paths_that_are_asked_for_take_the_place_of_docker_s(spec_for: SpecFor) -> None:
    linux = spec_for(masked_paths=[], readonly_paths=["/proc/x"])["linux"]
    assert (linux["maskedPaths"], linux["readonlyPaths"]) == ([], ["/proc/x"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "/filters/14"),
        (["seccomp=builtin"], "/filters/14"),
        (["seccomp=unconfined"], None),
        (["seccomp:unconfined"], None),
        (['seccomp={"a": 1}'], '/filters/14{"a": 1}'),
    ],
)
def test_a_seccomp_filter_is_docker_s_none_or_one_s_own(
    spec_for: SpecFor, options: list[str], expected: str | None
) -> None:
    assert spec_for(security_opt=options)["annotations"].get("containerlab.seccomp") == expected


def test_the_seccomp_filter_is_that_of_the_granted_capabilities(spec_for: SpecFor) -> None:
    spec = spec_for(cap_drop=["ALL"], cap_add=["CHOWN"])
    assert spec["annotations"]["containerlab.seccomp"] == "/filters/1"
    caps = spec["process"]["capabilities"]
    assert caps["bounding"] == caps["effective"] == caps["permitted"] == ["CAP_CHOWN"]


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("no-new-privileges", True),
        ("no-new-privileges:true", True),
        ("no-new-privileges=false", False),
        ("label=disable", False),
    ],
)
def test_no_new_privileges_is_a_word_or_a_boolean(spec_for: SpecFor, option: str, expected: bool) -> None:
    assert spec_for(security_opt=[option])["process"]["noNewPrivileges"] is expected


def test_a_host_s_namespace_is_none_of_the_container_s_own(spec_for: SpecFor) -> None:
    spec = spec_for(network_mode="host", pid_mode="host", ipc_mode="host", uts_mode="host", cgroupns_mode="host")
    assert namespaces(spec) == {"mount"}
    assert spec["linux"]["sysctl"] == {}
    assert spec["hostname"] == ""


def test_sysctls_stand_beside_docker_s_and_win(spec_for: SpecFor) -> None:
    sysctls = {"net.core.somaxconn": "9", "net.ipv4.ip_unprivileged_port_start": "1024"}
    made = spec_for(sysctls=sysctls)["linux"]["sysctl"]
    assert made.items() >= sysctls.items()


def test_limits_are_the_spec_s_resources(spec_for: SpecFor) -> None:
    resources = spec_for(memory=64 * MIB, nano_cpus=1_500_000_000, cpu_shares=7, cpuset_cpus="0")["linux"]["resources"]
    assert resources["memory"] == {"limit": 64 * MIB, "swap": 128 * MIB}
    assert resources["cpu"] == {"period": 100_000, "quota": 150_000, "shares": 7, "cpus": "0"}


def test_a_terminal_has_its_size_and_kind(spec_for: SpecFor) -> None:
    process = spec_for({"tty": True}, console_size=[24, 80])["process"]
    assert process["terminal"] is True
    assert process["consoleSize"] == {"height": 24, "width": 80}
    assert "TERM=xterm" in process["env"]


def test_docker_s_words_of_a_user_are_left_to_the_container_s_own_files(spec_for: SpecFor) -> None:
    spec = spec_for({"user": "app:web"}, group_add=["audio", "7"])
    assert spec["annotations"]["containerlab.user"] == "app:web"
    assert json.loads(spec["annotations"]["containerlab.groups"]) == ["audio", "7"]


def test_an_asked_annotation_never_takes_the_place_of_the_engine_s(spec_for: SpecFor) -> None:
    spec = spec_for(annotations={"a": "b", "containerlab.overlay": "{}"})
    assert spec["annotations"]["a"] == "b"
    assert json.loads(spec["annotations"]["containerlab.overlay"])["lower"]


def test_a_machine_gets_the_memory_limit_as_its_memory(spec_for: SpecFor) -> None:
    annotations = spec_for(runtime="vm", memory=256 * MIB)["annotations"]
    assert annotations["containerlab.backend"] == "vm"
    assert annotations["containerlab.memory_mb"] == "256"
    assert "containerlab.backend" not in spec_for(runtime="native")["annotations"]


def test_a_device_takes_its_node_s_numbers_and_a_rule(spec_for: SpecFor) -> None:
    linux = spec_for(
        devices=[DeviceMapping(path_on_host="/dev/full", path_in_container="/dev/f", cgroup_permissions="r")]
    )["linux"]
    (node,) = linux["devices"]
    assert (node["path"], node["type"], node["major"], node["minor"]) == ("/dev/f", "c", 1, 7)
    assert linux["resources"]["devices"][-1] == {"allow": True, "type": "c", "major": 1, "minor": 7, "access": "r"}


@pytest.mark.parametrize("mode", ["none", "host", "private"])
def test_shared_memory_follows_the_ipc_mode(spec_for: SpecFor, mode: str) -> None:
    shm = mount_at(spec_for(ipc_mode=mode, shm_size=MIB), "/dev/shm")
    if mode == "none":
        assert shm is None
    elif mode == "host":
        assert shm is not None and shm["source"] == "/dev/shm"
    else:
        assert shm is not None and f"size={MIB}" in shm["options"]


def test_the_small_files_are_bound_over_etc_unless_something_else_is(spec_for: SpecFor, tmp_path: Path) -> None:
    spec = spec_for(binds=["/tmp:/etc/hosts", "/tmp:/etc"])
    assert (mount_at(spec, "/etc/hosts") or {})["source"] == "/tmp"
    assert (mount_at(spec, "/etc/hostname") or {})["source"] == str(tmp_path / "c/hostname")
    places = [entry["destination"] for entry in spec["mounts"]]
    assert places.index("/etc") < places.index("/etc/hosts")
    assert places.index("/etc") < places.index("/etc/resolv.conf")


def test_a_mount_of_the_request_takes_the_place_of_docker_s(spec_for: SpecFor) -> None:
    spec = spec_for(tmpfs={"/dev/shm": "size=1k"}, binds=["/tmp:/proc"])
    assert (mount_at(spec, "/dev/shm") or {})["options"][-1] == "size=1k"
    assert (mount_at(spec, "/proc") or {})["source"] == "/tmp"


def test_rlimits_are_the_process_s(spec_for: SpecFor) -> None:
    rlimits = spec_for(ulimits=[Ulimit(name="nproc", soft=5, hard=-1)])["process"]["rlimits"]
    assert rlimits == [{"type": "RLIMIT_NPROC", "soft": 5, "hard": (1 << 64) - 1}]


def test_a_value_that_can_t_be_is_a_bad_request(spec_for: SpecFor) -> None:
    for host in ({"cap_add": ["FOO"]}, {"ulimits": [Ulimit(name="x", soft=1, hard=1)]}):
        with pytest.raises(InvalidParameter):
            spec_for(**host)


@pytest.mark.parametrize(
    ("config", "host", "expected"),
    [
        ({}, {}, "0123456789ab"),
        ({"hostname": "box"}, {}, "box"),
        ({}, {"network_mode": "host"}, socket.gethostname()),
        ({"hostname": "box"}, {"network_mode": "host"}, "box"),
        ({}, {"uts_mode": "host"}, socket.gethostname()),
        ({}, {"network_mode": "none"}, "0123456789ab"),
    ],
)
def test_a_container_is_called_by_name_host_or_short_id(
    config: dict[str, Any], host: dict[str, Any], expected: str
) -> None:
    assert hostname_of(ID, ContainerConfig(**config), HostConfig(**host)) == expected


# Files.


def written(request: BundleRequest) -> Path:
    write_files(request, build_spec(request))
    return request.folder


def test_a_bundle_is_a_folder_for_its_owner_with_all_that_a_start_needs(request_for: Make) -> None:
    folder = written(request_for({"hostname": "box"}))
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "hostname",
        "hosts",
        "resolv.conf",
        "upper",
        "work",
    }
    assert stat.S_IMODE(folder.stat().st_mode) & 0o007 == 0
    assert (folder / "hostname").read_text() == "box\n"
    assert json.loads((folder / "config.json").read_bytes())["hostname"] == "box"


def test_a_bundle_s_folder_is_made_once(request_for: Make) -> None:
    request = request_for()
    written(request)
    with pytest.raises(FileExistsError):
        written(request)


def test_the_hosts_file_is_docker_s_with_the_added_ones_at_its_end(request_for: Make) -> None:
    folder = written(request_for(extra_hosts=["db:192.0.2.7", "six=2001:db8::1", "b:[::1]"]))
    assert (folder / "hosts").read_text().splitlines() == [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::\tip6-localnet",
        "ff00::\tip6-mcastprefix",
        "ff02::1\tip6-allnodes",
        "ff02::2\tip6-allrouters",
        "192.0.2.7\tdb",
        "2001:db8::1\tsix",
        "::1\tb",
    ]


FILES = {
    "/etc/hosts": "127.0.0.1 localhost\n10.0.0.1 lab",
    "/etc/resolv.conf": "# x\n\n  \n ; x\nnameserver 10.0.0.53\n nameserver 10.0.0.54\nsearch a b\noptions ndots:1",
}


@pytest.fixture
def _own_etc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_host_file", FILES.__getitem__)


@pytest.mark.usefixtures("_own_etc")
def test_along_with_the_host_s_network_goes_its_hosts_file_and_what_is_added(request_for: Make) -> None:
    folder = written(request_for(network_mode="host", extra_hosts=["db:192.0.2.7"], dns=["192.0.2.1"]))
    assert (folder / "hosts").read_text() == "127.0.0.1 localhost\n10.0.0.1 lab\n192.0.2.7\tdb\n"
    assert "nameserver 192.0.2.1\n" in (folder / "resolv.conf").read_text()


@pytest.mark.usefixtures("_own_etc")
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({}, ["nameserver 10.0.0.53", "nameserver 10.0.0.54", "search a b", "options ndots:1"]),
        (
            {"dns": ["192.0.2.1", "192.0.2.2"]},
            ["search a b", "options ndots:1", "nameserver 192.0.2.1", "nameserver 192.0.2.2"],
        ),
        (
            {"dns_search": ["x", "y"]},
            ["nameserver 10.0.0.53", "nameserver 10.0.0.54", "options ndots:1", "search x y"],
        ),
        ({"dns_search": ["."]}, ["nameserver 10.0.0.53", "nameserver 10.0.0.54", "options ndots:1"]),
        (
            {"dns_options": ["ndots:3", "rotate"]},
            ["nameserver 10.0.0.53", "nameserver 10.0.0.54", "search a b", "options ndots:3 rotate"],
        ),
    ],
)
def test_the_resolver_s_settings_are_the_host_s_but_for_the_kinds_that_are_asked_for(
    request_for: Make, host: dict[str, Any], expected: list[str]
) -> None:
    assert (written(request_for(**host)) / "resolv.conf").read_text().splitlines() == expected
