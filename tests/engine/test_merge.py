"""What a container's configuration becomes over its image's, and the capabilities that it gets (moby's rules)."""

from __future__ import annotations

import pytest

from containerlab.engine.capabilities import normalised, tweak
from containerlab.engine.merge import command_line, environment, merge
from containerlab.engine.models import ContainerConfig, HealthConfig
from containerlab.errors import InvalidParameter
from containerlab.runtime.capabilities import DEFAULT, NAMES

Words = list[str] | None


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "image_entrypoint", "image_cmd", "expected"),
    [
        (None, None, ["e"], ["c"], ["e", "c"]),
        (None, ["x"], ["e"], ["c"], ["e", "x"]),
        (None, [], ["e"], ["c"], ["e", "c"]),
        (["n"], None, ["e"], ["c"], ["n"]),
        (["n"], ["x"], ["e"], ["c"], ["n", "x"]),
        ([], None, ["e"], ["c"], ["c"]),
        ([], ["x"], ["e"], ["c"], ["x"]),
        ([""], ["x"], ["e"], ["c"], ["x"]),
        (None, ["x"], None, None, ["x"]),
        (None, None, ["e"], None, ["e"]),
    ],
)
def test_a_command_is_made_of_request_and_image_as_docker_does(
    entrypoint: Words, cmd: Words, image_entrypoint: Words, image_cmd: Words, expected: list[str]
) -> None:
    asked = ContainerConfig(entrypoint=entrypoint, cmd=cmd)
    image = ContainerConfig(entrypoint=image_entrypoint, cmd=image_cmd)
    assert command_line(merge(asked, image)) == expected


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "image_entrypoint", "image_cmd"),
    [(None, None, None, None), ([""], None, ["e"], ["c"]), ([], [], ["e"], None), (None, [], None, [])],
)
def test_nothing_to_run_is_refused_in_docker_s_words(
    entrypoint: Words, cmd: Words, image_entrypoint: Words, image_cmd: Words
) -> None:
    asked = ContainerConfig(entrypoint=entrypoint, cmd=cmd)
    with pytest.raises(InvalidParameter, match=r"^no command specified"):
        merge(asked, ContainerConfig(entrypoint=image_entrypoint, cmd=image_cmd))


IMAGE = ContainerConfig(
    user="app",
    working_dir="/app",
    stop_signal="SIGINT",
    stop_timeout=3,
    env=["A=1", "B=2", "PATH=/bin"],
    labels={"a": "1", "b": "2"},
    exposed_ports={"80/tcp": {}},
    volumes={"/data": {}},
    cmd=["sh"],
    shell=["/bin/sh", "-c"],
    on_build=["RUN x"],
)


def test_what_the_request_leaves_out_is_the_image_s() -> None:
    merged = merge(ContainerConfig(), IMAGE)
    for name in ("user", "working_dir", "stop_signal", "env", "labels", "exposed_ports", "volumes", "cmd"):
        assert getattr(merged, name) == getattr(IMAGE, name)


def test_what_is_of_use_to_a_build_alone_stays_the_image_s() -> None:
    merged = merge(ContainerConfig(), IMAGE)
    assert (merged.shell, merged.on_build, merged.stop_timeout) == (None, None, None)


def test_the_request_s_word_wins_and_maps_are_joined() -> None:
    asked = ContainerConfig(
        user="root",
        working_dir="/",
        stop_signal="SIGHUP",
        env=["B=3", "C=4", "A"],
        labels={"b": "3"},
        exposed_ports={"81/tcp": {}},
        volumes={"/more": {}},
    )
    merged = merge(asked, IMAGE)
    assert (merged.user, merged.working_dir, merged.stop_signal) == ("root", "/", "SIGHUP")
    assert merged.env == ["B=3", "C=4", "A", "PATH=/bin"]
    assert merged.labels == {"a": "1", "b": "3"}
    assert set(merged.exposed_ports) == {"80/tcp", "81/tcp"}
    assert set(merged.volumes) == {"/data", "/more"}


def test_a_merge_changes_neither_of_the_two() -> None:
    asked = ContainerConfig(env=["X=1"])
    merged = merge(asked, IMAGE)
    merged.labels["new"] = merged.exposed_ports["1/tcp"] = "x"  # type: ignore[assignment]
    merged.env.append("Y=1")
    assert asked == ContainerConfig(env=["X=1"])
    assert IMAGE.labels == {"a": "1", "b": "2"}
    assert len(IMAGE.env) == 3


def test_a_health_check_is_inherited_field_by_field() -> None:
    image = ContainerConfig(cmd=["sh"], healthcheck=HealthConfig(test=["CMD", "x"], interval=5, retries=2))
    assert merge(ContainerConfig(), image).healthcheck == image.healthcheck
    asked = ContainerConfig(healthcheck=HealthConfig(interval=7))
    assert merge(asked, image).healthcheck == HealthConfig(test=["CMD", "x"], interval=7, retries=2)
    assert merge(asked, ContainerConfig(cmd=["sh"])).healthcheck == asked.healthcheck


def test_an_environment_begins_with_docker_s_own_and_a_bare_key_takes_one_away() -> None:
    assert environment([], hostname="h", tty=False) == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=h",
    ]
    assert environment(["PATH=/bin", "A=b=c", "E=", "A=2"], hostname="h", tty=True) == [
        "PATH=/bin",
        "HOSTNAME=h",
        "TERM=xterm",
        "A=2",
        "E=",
    ]
    assert environment(["HOSTNAME", "NONE", "TERM=dumb"], hostname="h", tty=True)[1:] == ["TERM=dumb"]


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        ([], [], set(DEFAULT)),
        (["NET_ADMIN"], [], {*DEFAULT, "CAP_NET_ADMIN"}),
        (["cap_net_admin"], ["chown"], {*DEFAULT, "CAP_NET_ADMIN"} - {"CAP_CHOWN"}),
        (["CHOWN"], ["CHOWN"], set(DEFAULT)),
        (["ALL"], [], set(NAMES)),
        (["all"], ["SYS_ADMIN"], set(NAMES) - {"CAP_SYS_ADMIN"}),
        ([], ["ALL"], set()),
        (["CHOWN", "SYS_TIME"], ["ALL"], {"CAP_CHOWN", "CAP_SYS_TIME"}),
        (["ALL"], ["ALL"], set(NAMES)),
    ],
)
def test_capabilities_are_added_and_dropped_as_docker_does(add: list[str], drop: list[str], expected: set[str]) -> None:
    granted = tweak(DEFAULT, NAMES, add, drop)
    assert set(granted) == expected
    assert granted == [name for name in NAMES if name in expected]


@pytest.mark.parametrize(
    ("add", "drop", "message"),
    [
        (["FOO"], [], 'invalid CapAdd: unknown capability: "CAP_FOO"'),
        ([], ["cap_foo"], 'invalid CapDrop: unknown capability: "CAP_FOO"'),
        ([""], [], 'invalid CapAdd: unknown capability: "CAP_"'),
    ],
)
def test_an_unknown_capability_is_refused_in_docker_s_words(add: list[str], drop: list[str], message: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        tweak(DEFAULT, NAMES, add, drop)
    assert refused.value.message == message


def test_a_capability_is_known_by_name_with_and_without_prefix() -> None:
    assert normalised(["chown", "CAP_KILL", "All"], NAMES) == {"CAP_CHOWN", "CAP_KILL", "ALL"}
