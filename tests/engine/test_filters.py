"""Which containers and images a list or a prune is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from containerlab.database import Database
from containerlab.engine import filters, image_filters
from containerlab.engine.container import Container, Registry
from containerlab.engine.image_filters import reference_matches
from containerlab.engine.models import ContainerConfig, HostConfig
from containerlab.engine.state import ContainerState, MountPoint
from containerlab.errors import InvalidParameter, NoSuchContainer, NoSuchImage
from containerlab.images import ImageStore, Reference
from containerlab.images.config import ContainerConfig as ImageWords
from containerlab.images.config import ImageConfig

IMAGE = "sha256:" + "2" * 64


@pytest.fixture
def registry(make_container: Callable[..., Container]) -> Registry:
    """Four containers, in the order of their creation."""
    found = Registry()
    ended = ContainerState(status="exited", exit_code=3, started_at=1, finished_at=2)
    config = ContainerConfig(image="busybox", labels={"a": "1", "b": ""}, exposed_ports={"80/tcp": {}, "53/udp": {}})
    volume = MountPoint(type="volume", name="data", source="/store/data", destination="/data")
    found.add(make_container("web1", config=config, state=ContainerState(status="running", started_at=1)))
    found.add(make_container("web2", config=ContainerConfig(labels={"a": "2"}), image=IMAGE, state=ended))
    found.add(make_container("db", host=HostConfig(network_mode="none"), mounts=[volume]))
    found.add(make_container("job", host=HostConfig(network_mode="host"), state=ContainerState(status="restarting")))
    return found


def names(found: list[Container]) -> list[str]:
    return [container.name for container in found]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "job db web2 web1"),
        ({"name": ["web"]}, "web2 web1"),
        ({"name": ["/web1"]}, "web1"),
        ({"name": ["^/web"]}, "web2 web1"),
        ({"name": ["^eb"]}, ""),
        ({"name": ["db", "job"]}, "job db"),
        ({"name": ["["]}, ""),
        ({"status": ["running"]}, "web1"),
        ({"status": ["created", "exited"]}, "db web2"),
        ({"status": ["created"], "name": ["web"]}, ""),
        ({"exited": ["3"]}, "web2"),
        ({"exited": ["+3", "0"]}, "web2"),
        ({"exited": ["0"]}, ""),
        ({"label": ["a"]}, "web2 web1"),
        ({"label": ["a=1"]}, "web1"),
        ({"label": ["a", "b"]}, "web1"),
        ({"label": ["a=1", "a=2"]}, ""),
        ({"before": ["db"]}, "web2 web1"),
        ({"since": ["web2"]}, "job db"),
        ({"since": ["web1"], "before": ["job"]}, "db web2"),
        ({"ancestor": [IMAGE]}, "web2"),
        ({"ancestor": ["unknown"]}, ""),
        ({"ancestor": [IMAGE, "unknown"]}, "web2"),
        ({"volume": ["data"]}, "db"),
        ({"volume": ["/data"]}, "db"),
        ({"volume": ["dat"]}, ""),
        ({"network": ["none"]}, "db"),
        ({"network": ["bridge"]}, "web2 web1"),
        ({"network": ["default", "host"]}, "job web2 web1"),
        ({"network": ["lab"]}, ""),
        ({"expose": ["80"]}, "web1"),
        ({"expose": ["80/tcp"]}, "web1"),
        ({"expose": ["50-60/udp"]}, "web1"),
        ({"expose": ["50-60"]}, ""),
        ({"expose": ["53"]}, ""),
        ({"publish": ["80"]}, ""),
        ({"health": ["none"]}, "job db web2 web1"),
        ({"health": ["healthy"]}, ""),
        ({"is-task": ["false"]}, "job db web2 web1"),
        ({"is-task": ["true"]}, ""),
    ],
)
def test_containers_pass_docker_s_filters_newest_first(
    registry: Registry, wanted: dict[str, list[str]], expected: str
) -> None:
    assert names(filters.pick(registry, wanted, {IMAGE: {IMAGE}, "unknown": set()})) == expected.split()


def test_containers_are_found_by_a_part_of_their_id(registry: Registry) -> None:
    container = registry.get("db")
    assert names(filters.pick(registry, {"id": [container.id[:20]]}, {})) == ["db"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"exited": ["--5"]},
        {"exited": ["²"]},
        {"exited": [""]},
        {"exited": ["1_0"]},
        {"status": ["up"]},
        {"health": ["ill"]},
        {"is-task": ["perhaps"]},
        {"expose": ["http"]},
        {"expose": ["1-2-3"]},
        {"publish": ["1:2"]},
        {"foo": ["1"]},
    ],
)
def test_a_filter_s_value_that_can_t_be_is_refused_by_name(registry: Registry, wanted: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidParameter, match="invalid filter '"):
        filters.pick(registry, wanted, {})


@pytest.mark.parametrize("name", ["before", "since"])
def test_a_bound_that_is_no_container_is_not_found(registry: Registry, name: str) -> None:
    with pytest.raises(NoSuchContainer):
        filters.pick(registry, {name: ["nobody"]}, {})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "web2 db"),
        ({"label": ["a"]}, "web2"),
        ({"label!": ["a"]}, "db"),
        ({"label!": ["a=1"]}, "web2 db"),
        ({"until": ["1"]}, ""),
        ({"until": ["1h"]}, "web2 db"),
        ({"until": ["1700000002"]}, "web2"),
        ({"until": ["2023-11-14T22:13:22Z"]}, "web2"),
    ],
)
def test_what_can_be_pruned_has_ended_or_never_begun(
    registry: Registry, wanted: dict[str, list[str]], expected: str
) -> None:
    assert names(filters.prunable(registry, wanted)) == expected.split()


@pytest.mark.parametrize("wanted", [{"name": ["a"]}, {"until": ["tomorrow"]}])
def test_a_prune_refuses_what_it_does_not_understand(registry: Registry, wanted: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidParameter):
        filters.prunable(registry, wanted)


# Images.


@pytest.fixture
def images(tmp_path: Path) -> Iterator[ImageStore]:
    """Three images made within one second, whose times are written with as many digits as they need, and a nameless."""
    (tmp_path / "store").mkdir(mode=0o700)
    database = Database(tmp_path / "store" / "db.sqlite")
    store = ImageStore(database, tmp_path / "store")
    for created, ref, labels in (
        ("2026-01-02T03:04:05Z", "one:1", {"a": "1"}),
        ("2026-01-02T03:04:05.5Z", "two:1", {"a": "2"}),
        ("2026-01-02T04:04:05.500001+01:00", "localhost:5000/lab/three:1", {}),
        ("2026-01-02T03:04:06Z", None, {}),
    ):
        words = ImageWords(Labels=labels or None)
        store.create(ImageConfig(architecture="amd64", config=words, created=created), None, ref)
    store.tag(store.resolve("one:1").id, "one:2")
    yield store
    database.close()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "- localhost:5000/lab/three:1 two:1 one:1,one:2"),
        ({"dangling": ["true"]}, "-"),
        ({"dangling": ["1"]}, "-"),
        ({"dangling": ["false"]}, "localhost:5000/lab/three:1 two:1 one:1,one:2"),
        ({"label": ["a"]}, "two:1 one:1,one:2"),
        ({"label": ["a=2"]}, "two:1"),
        ({"before": ["two:1"]}, "one:1,one:2"),
        ({"since": ["one:1"]}, "- localhost:5000/lab/three:1 two:1"),
        ({"since": ["two:1"]}, "- localhost:5000/lab/three:1"),
        ({"until": ["2026-01-02T03:04:05.4Z"]}, "one:1,one:2"),
        ({"until": ["1h"]}, "- localhost:5000/lab/three:1 two:1 one:1,one:2"),
        ({"reference": ["one"]}, "one:1,one:2"),
        ({"reference": ["one:2"]}, "one:2"),
        ({"reference": ["one:*"]}, "one:1,one:2"),
        ({"reference": ["*"]}, "two:1 one:1,one:2"),
        ({"reference": ["*/*/three", "two"]}, "localhost:5000/lab/three:1 two:1"),
        ({"reference": ["three"]}, ""),
    ],
)
def test_images_pass_docker_s_filters_newest_first(
    images: ImageStore, wanted: dict[str, list[str]], expected: str
) -> None:
    found = image_filters.pick(images, wanted)
    assert [",".join(tag.familiar() for tag in image.tags) or "-" for image in found] == expected.split()


@pytest.mark.parametrize(
    "wanted", [{"foo": []}, {"dangling": ["maybe"]}, {"until": ["x"]}, {"reference": ["["]}, {"exited": ["0"]}]
)
def test_an_image_filter_that_can_t_be_is_refused(images: ImageStore, wanted: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidParameter):
        image_filters.pick(images, wanted)


def test_a_bound_that_is_no_image_is_not_found(images: ImageStore) -> None:
    with pytest.raises(NoSuchImage):
        image_filters.pick(images, {"before": ["nobody"]})


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("docker.io/library/busybox:1", "busybox", True),
        ("docker.io/library/busybox:1", "docker.io/library/busybox", False),
        ("busybox:1", "busy*", True),
        ("busybox:1", "b?sybox:[0-9]", True),
        ("lab/python:3", "*", False),
        ("lab/python:3", "lab/*", True),
        ("lab/python:3", "*/*", True),
    ],
)
def test_a_reference_is_matched_by_its_familiar_name_as_a_path(name: str, pattern: str, expected: bool) -> None:
    assert reference_matches(Reference.parse(name), pattern) is expected
