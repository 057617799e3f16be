"""Containers and images as Docker's JSON shows them, sizes, and the figures of ``top``."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containerlab.database import Database
from containerlab.engine import image_views, usage
from containerlab.engine.clock import ZERO
from containerlab.engine.container import Container
from containerlab.engine.models import ContainerConfig, HostConfig
from containerlab.engine.sizes import tree_size
from containerlab.engine.state import ContainerState, MountPoint
from containerlab.engine.views import inspect_view, list_view, status_text
from containerlab.images import ImageStore
from containerlab.images.config import ContainerConfig as ImageWords
from containerlab.images.config import History, ImageConfig
from containerlab.runtime.facts import ProcessFacts

Make = Callable[..., Container]


def past(seconds: float) -> int:
    return time.time_ns() - int(seconds * 10**9)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"status": "created"}, "Created"),
        ({"status": "running", "started_at": 200}, "Up 3 minutes"),
        ({"status": "paused", "started_at": 7300}, "Up 2 hours (Paused)"),
        ({"status": "restarting", "finished_at": 30, "exit_code": 1}, "Restarting (1) 30 seconds ago"),
        ({"status": "exited", "finished_at": 90, "exit_code": 137}, "Exited (137) About a minute ago"),
        ({"status": "removing"}, "Removal In Progress"),
        ({"status": "dead"}, "Dead"),
    ],
)
def test_a_status_is_said_in_docker_s_words(make_container: Make, state: dict[str, Any], expected: str) -> None:
    # A little more than the round figure, so that a slow test still says the same.
    times = {key: past(state[key] + 0.2) for key in ("started_at", "finished_at") if key in state}
    assert status_text(make_container(state=ContainerState(**{**state, **times}))) == expected


@pytest.fixture
def web(make_container: Make) -> Container:
    volume = MountPoint(type="volume", name="v" * 64, source="/s", destination="/data")
    bind = MountPoint(type="bind", source="/tmp", destination="/b", mode="ro", rw=False, propagation="rprivate")
    return make_container(
        config=ContainerConfig(image="busybox", hostname="box", labels={"a": "1"}),
        host=HostConfig(network_mode="bridge"),
        args=["-c", "true"],
        mounts=[volume, bind],
        state=ContainerState(status="exited", exit_code=3, started_at=1_700_000_000_000_000_000, finished_at=past(5)),
    )


def test_an_entry_of_the_list_has_what_docker_s_has(web: Container) -> None:
    shown = list_view(web)
    assert (shown["Names"], shown["Image"], shown["Command"]) == (["/web"], "busybox", "sh -c true")
    assert (shown["State"], shown["Created"], shown["Labels"]) == ("exited", 1_700_000_000, {"a": "1"})
    assert shown["HostConfig"] == {"NetworkMode": "default"}
    assert list(shown["NetworkSettings"]["Networks"]) == ["bridge"]


def test_inspect_shows_state_command_and_mounts(web: Container) -> None:
    shown = inspect_view(web, "/layers", ["l/TOP", "l/BASE"])
    assert (shown["Path"], shown["Args"], shown["Name"]) == ("sh", ["-c", "true"], "/web")
    state = shown["State"]
    assert (state["Status"], state["ExitCode"], state["Running"], state["Pid"]) == ("exited", 3, False, 0)
    assert state["StartedAt"] == "2023-11-14T22:13:20Z"
    assert shown["GraphDriver"]["Data"]["LowerDir"] == "/layers/l/TOP:/layers/l/BASE"
    # As Docker 20.10 shows the same two.
    assert shown["Mounts"] == [
        {
            "Type": "volume",
            "Name": "v" * 64,
            "Source": "/s",
            "Destination": "/data",
            "Driver": "local",
            "Mode": "",
            "RW": True,
            "Propagation": "",
        },
        {
            "Type": "bind",
            "Source": "/tmp",
            "Destination": "/b",
            "Mode": "ro",
            "RW": False,
            "Propagation": "rprivate",
        },
    ]
    assert shown["Config"]["Hostname"] == "box"
    assert shown["HostConfig"]["NetworkMode"] == "default"


def test_a_time_that_has_not_come_is_go_s_zero(make_container: Make) -> None:
    state = inspect_view(make_container(), "/layers", [])["State"]
    assert (state["StartedAt"], state["FinishedAt"]) == (ZERO, ZERO)


@pytest.fixture
def images(tmp_path: Path) -> Iterator[ImageStore]:
    (tmp_path / "store").mkdir(mode=0o700)
    database = Database(tmp_path / "store" / "db.sqlite")
    yield ImageStore(database, tmp_path / "store")
    database.close()


def test_an_image_is_shown_with_docker_s_zero_values(images: ImageStore) -> None:
    words = ImageWords(Cmd=["sh"], Labels={"a": "1"})
    config = ImageConfig(architecture="amd64", config=words, created="2023-11-14T22:13:20.5Z", author="me")
    image = images.create(config, None, "lab/x:1")
    listed = image_views.list_view(image)
    assert (listed["Id"], listed["RepoTags"], listed["Created"]) == (image.id, ["lab/x:1"], 1_700_000_000)
    assert listed["Labels"] == {"a": "1"}
    assert (listed["Containers"], listed["SharedSize"]) == (-1, -1)
    shown = image_views.inspect_view(image, ["/layers/empty"])
    assert shown["Created"] == "2023-11-14T22:13:20.5Z"
    assert (shown["Author"], shown["Architecture"], shown["Os"]) == ("me", "amd64", "linux")
    assert shown["RootFS"] == {"Type": "layers", "Layers": []}
    assert (shown["Config"]["Cmd"], shown["Config"]["Entrypoint"], shown["Config"]["Env"]) == (["sh"], None, None)
    assert shown["Config"]["User"] == ""


def test_an_image_without_a_time_is_shown_with_go_s_zero(images: ImageStore) -> None:
    image = images.create(ImageConfig(architecture="amd64"), None)
    assert image_views.list_view(image)["Created"] == 0
    assert image_views.list_view(image)["RepoTags"] == []
    assert image_views.inspect_view(image, ["/layers/empty"])["Created"] == ZERO


def test_a_history_gives_each_layer_its_size_newest_first(images: ImageStore) -> None:
    steps = [
        History(created="2023-11-14T22:13:20Z", created_by="ADD base"),
        History(created="2023-11-14T22:13:21Z", created_by="ENV A=1", empty_layer=True),
        History(created="2023-11-14T22:13:22Z", created_by="RUN x", comment="c"),
    ]
    image = images.create(ImageConfig(architecture="amd64", history=steps), None, "x:1")
    shown = image_views.history_view(image, [100, 7])
    assert [(each["CreatedBy"], each["Size"]) for each in shown] == [("RUN x", 7), ("ENV A=1", 0), ("ADD base", 100)]
    assert [each["Id"] for each in shown] == [image.id, "<missing>", "<missing>"]
    assert [each["Tags"] for each in shown] == [["x:1"], None, None]
    assert (shown[0]["Created"], shown[0]["Comment"]) == (1_700_000_002, "c")


def test_a_history_with_fewer_layers_than_it_says_still_is_one(images: ImageStore) -> None:
    image = images.create(ImageConfig(architecture="amd64", history=[History(), History()]), None)
    assert [each["Size"] for each in image_views.history_view(image, [])] == [0, 0]


# Sizes.


def test_a_tree_s_size_is_its_files_bytes_each_once(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/one").write_bytes(b"x" * 1000)
    os.link(tmp_path / "a/one", tmp_path / "a/b/same")
    (tmp_path / "a/b/two").write_bytes(b"x" * 10)
    (tmp_path / "a/out").symlink_to("/")
    assert tree_size(str(tmp_path)) == 1010 + len("/")


def test_a_missing_tree_has_no_size(tmp_path: Path) -> None:
    assert tree_size(str(tmp_path / "none")) == 0


# Usage.


def process(**changes: Any) -> ProcessFacts:
    fields: dict[str, Any] = {"pid": 7, "ppid": 1, "uid": 0, "name": "sh", "command": "sh -c x", "tty": "?"}
    fields |= {"cpu_s": 3725.9, "started_s": time.clock_gettime(time.CLOCK_BOOTTIME) - 7451, "rss": 1}
    return ProcessFacts(**{**fields, **changes})


def test_a_line_of_top_has_the_columns_of_ps_ef() -> None:
    row = usage._ef_row(process())
    assert [row[0], *row[1:4], *row[5:]] == ["root", "7", "1", "50", "?", "01:02:05", "sh -c x"]
    assert len(row) == 8


def test_a_user_without_a_name_is_a_number_in_top() -> None:
    assert usage._ef_row(process(uid=3_999_999_999))[0] == "3999999999"


def test_a_process_that_has_just_started_uses_at_most_99_percent() -> None:
    assert usage._ef_row(process(started_s=time.clock_gettime(time.CLOCK_BOOTTIME) + 1))[3] == "99"


def test_images_made_on_top_of_one_are_its_descendants(images: ImageStore) -> None:
    base = images.create(ImageConfig(architecture="amd64", history=[History(created_by="A")]), None, "base:1")
    made = images.create(
        ImageConfig(architecture="amd64", history=[History(created_by="A"), History(created_by="B")]), None, "made:1"
    )
    images.create(ImageConfig(architecture="amd64", history=[History(created_by="C")]), None, "other:1")
    assert usage.descendants(images, "base:1") == {base.id, made.id}
    assert usage.descendants(images, "made:1") == {made.id}
    assert usage.descendants(images, "nobody:1") == usage.descendants(images, "NOT A NAME") == set()


def test_a_ps_that_refuses_its_arguments_is_a_bad_request() -> None:
    from containerlab.errors import InvalidParameter

    async def listing(arguments: str) -> dict[str, Any]:
        return await usage._ps("/bin/ps", arguments, [os.getpid()])

    if not Path("/bin/ps").exists():
        pytest.skip("ps isn't installed")
    (row,) = asyncio.run(listing("-eo pid,args"))["Processes"]
    assert row[0] == str(os.getpid())
    with pytest.raises(InvalidParameter, match="Error running ps"):
        asyncio.run(listing("--nonono"))
    with pytest.raises(InvalidParameter, match=r"Error running ps: .*No closing quotation"):
        asyncio.run(listing("-o 'pid"))
    with pytest.raises(InvalidParameter, match="Couldn't find PID field"):
        asyncio.run(listing("-eo args"))
