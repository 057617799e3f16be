"""The cache: what is found again, what is not, and what a stopped build leaves."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from containerlab.build import BuildOptions, Context
from containerlab.build.cache import BuildCache, Record
from containerlab.build.context import Entry
from containerlab.errors import BuildFailed, StorageFull
from tests.build.conftest import SMALL_STORE, Built, Site, run

pytestmark = pytest.mark.root

COPIES = "FROM base\nCOPY a /a\nENV x=1\nCOPY b /b\nLABEL l=1\n"


@pytest.fixture
def files(site: Site) -> Site:
    site.write(a="a", b="b")
    return site


def test_the_same_build_again_is_all_cached_and_the_same_image(files: Site) -> None:
    first = files.build(COPIES, tags=("x:1",))
    second = files.build(COPIES, tags=("x:1",))
    assert first.cached == [False] * 5
    assert second.cached == [False, True, True, True, True]
    assert second.ok().id == first.ok().id
    assert second.text.count(" ---> Using cache\n") == 4


def test_a_changed_file_rebuilds_from_its_own_step_on(files: Site) -> None:
    files.build(COPIES)
    files.write(b="changed")
    assert files.build(COPIES).cached == [False, True, True, False, False]


def test_a_touched_file_rebuilds_nothing(files: Site) -> None:
    files.build(COPIES)
    os.utime(files.context / "a", (1, 1))
    assert all(files.build(COPIES).cached[1:])


def test_a_changed_file_that_no_step_reads_rebuilds_nothing(files: Site) -> None:
    files.build(COPIES)
    files.write(other="new")
    assert all(files.build(COPIES).cached[1:])


def test_a_changed_instruction_rebuilds_what_follows(files: Site) -> None:
    files.build(COPIES)
    assert files.build(COPIES.replace("x=1", "x=2")).cached == [False, True, False, False, False]


def test_only_an_argument_that_is_used_counts(files: Site) -> None:
    dockerfile = "FROM base\nCOPY a /a\nARG v\nCOPY b /b\nENV e=$v\n"
    files.build(dockerfile, build_args={"v": "1"})
    assert files.build(dockerfile, build_args={"v": "2"}).cached == [False, True, True, True, False]


def test_no_cache_executes_every_step_and_is_remembered(files: Site) -> None:
    files.build(COPIES)
    again = files.build(COPIES, no_cache=True)
    assert again.cached == [False] * 5
    assert files.build(COPIES).ok().id == again.ok().id


def test_a_record_without_its_layer_does_not_count(files: Site) -> None:
    image = files.build(COPIES).ok()
    files.images.remove(image.id)
    rebuilt = files.build(COPIES)
    assert rebuilt.cached[1] is False
    assert files.read(rebuilt.ok(), "/b") == "b"


def test_another_base_of_the_same_name_finds_nothing(files: Site) -> None:
    files.build(COPIES)
    other = files.build("FROM base\nENV other=1\n", tags=("base:latest",)).ok()
    assert files.images.resolve("base").id == other.id
    assert files.build(COPIES).cached == [False] * 5


def test_an_image_that_claims_a_history_gives_no_cache(files: Site) -> None:
    image = files.build("FROM base\nCOPY a /a\n").ok()
    files.database.rows("DELETE FROM build_steps")
    assert files.build("FROM base\nCOPY a /a\n").cached == [False, False]
    assert image.chain_ids == files.build("FROM base\nCOPY a /a\n").ok().chain_ids


def test_a_cancelled_build_kills_its_step_and_leaves_nothing(files: Site) -> None:
    async def work() -> tuple[Built, float, list[str]]:
        (files.context / "Dockerfile").write_text("FROM base\nCOPY a /a\nRUN echo started; sleep 600\n")
        builder, client = await files.connected()
        built = Built()
        with Context.from_directory(files.context) as context:
            task = asyncio.ensure_future(builder.build(context, BuildOptions(), built.messages.append))
            while "started" not in built.text:
                await asyncio.sleep(0.01)
            begun = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        took = time.monotonic() - begun
        left = (await client.call("list"))["containers"]
        client.close()
        return built, took, left

    _, took, left = run(work())
    assert took < 5
    assert left == []
    assert list((files.store / "builds").iterdir()) == []
    assert files.database.rows("SELECT * FROM layer_pins") == []
    again = files.build("FROM base\nCOPY a /a\nRUN echo done\n")
    assert again.cached == [False, True, False]


def test_a_cancelled_copy_of_a_large_file_ends_soon(files: Site) -> None:
    with open(files.context / "large", "wb") as large:
        large.truncate(64 << 30)

    async def work() -> float:
        (files.context / "Dockerfile").write_text("FROM base\nCOPY large /large\n")
        builder, client = await files.connected()
        with Context.from_directory(files.context) as context:
            task = asyncio.ensure_future(builder.build(context, BuildOptions(), lambda _: None))
            await asyncio.sleep(0.5)
            begun = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        client.close()
        return time.monotonic() - begun

    assert run(work()) < 3


def test_output_comes_while_the_step_runs(files: Site) -> None:
    async def work() -> list[tuple[float, str]]:
        (files.context / "Dockerfile").write_text("FROM base\nRUN echo one; sleep 0.5; echo two\n")
        builder, client = await files.connected()
        seen: list[tuple[float, str]] = []
        with Context.from_directory(files.context) as context:
            await builder.build(context, BuildOptions(), lambda m: seen.append((time.monotonic(), m.get("stream", ""))))
        client.close()
        return seen

    times = {text: at for at, text in run(work())}
    assert times["two\n"] - times["one\n"] > 0.3


def test_two_builds_at_once_do_not_disturb_each_other(files: Site) -> None:
    async def work() -> list[str]:
        builder, client = await files.connected()
        (files.context / "Dockerfile").write_text("FROM base\nCOPY a /a\nRUN cat /a > /out; sleep 0.1\n")

        async def one() -> str:
            with Context.from_directory(files.context) as context:
                return (await builder.build(context, BuildOptions(), lambda _: None)).id

        ids = await asyncio.gather(*(one() for _ in range(4)))
        client.close()
        return list(ids)

    for image_id in run(work()):
        assert files.read(files.images.get(image_id), "/out") == "a"


def test_what_a_killed_engine_left_is_swept(files: Site) -> None:
    left = files.store / "builds" / ("f" * 64)
    (left / "scratch" / "upper" / "deep").mkdir(parents=True)
    chain = files.images.resolve("base").chain_id
    assert chain is not None
    files.images.layers.pin(chain, left.name)
    files.build("FROM base\n").ok()
    assert not left.exists()
    assert files.database.rows("SELECT * FROM layer_pins") == []


def test_a_secret_looking_build_argument_is_in_no_table(files: Site) -> None:
    files.build("FROM base\nCOPY a /a\n", build_args={"HTTP_PROXY": "http://user:hunter2@proxy"})
    for path in files.store.glob("db.sqlite*"):
        assert b"hunter2" not in path.read_bytes()


def test_a_full_disk_is_an_error_and_nothing_half_written_is_taken_for_whole(small_site: Site) -> None:
    with open(small_site.context / "big", "wb") as big:
        big.truncate(SMALL_STORE)
    small_site.write(a="a")
    built = small_site.build("FROM base\nCOPY a /a\nCOPY big /big\n")
    assert isinstance(built.error, StorageFull)
    assert "no space left" in str(built.error)
    assert built.messages[-1]["error"] == str(built.error)
    assert list((small_site.store / "builds").iterdir()) == []
    again = small_site.build("FROM base\nCOPY a /a\nENV fits=1\n")
    assert again.cached == [False, True, False]
    assert small_site.read(again.ok(), "/a") == "a"


def test_a_disk_that_fills_inside_a_run_fails_that_run(small_site: Site) -> None:
    small_site.write(a="a")
    built = small_site.build("FROM base\nCOPY a /a\nRUN head -c 99999999 /dev/zero > /fill || exit 7\n")
    assert isinstance(built.error, BuildFailed | StorageFull)
    assert small_site.build("FROM base\nCOPY a /a\n").cached == [False, True]


def test_what_was_hashed_is_not_read_again_until_it_changes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        site.write(**{f"src__f{number}": f"{number}"})
    time.sleep(0.2)  # a file that was just changed isn't remembered
    read: list[str] = []
    chunks = Context.chunks

    def counted(self: Context, entry: Entry) -> Iterator[bytes]:
        read.append(entry.path)
        return chunks(self, entry)

    monkeypatch.setattr(Context, "chunks", counted)
    dockerfile = "FROM base\nCOPY src /src\nCOPY src/f1 /f1\n"
    site.build(dockerfile).ok()
    assert len(read) == 20
    read.clear()
    assert site.build(dockerfile).cached == [False, True, True]
    assert read == []
    site.write(src__f3="changed")
    built = site.build(dockerfile)
    assert built.cached == [False, False, False]
    assert read == ["src/f3"]
    assert site.read(built.ok(), "/src/f3") == "changed"


def test_a_file_that_changes_without_its_time_and_size_is_read_again(site: Site) -> None:
    site.write(f="one")
    os.utime(site.context / "f", (1_000_000_000, 1_000_000_000))
    time.sleep(0.2)
    dockerfile = "FROM base\nCOPY f /f\n"
    site.build(dockerfile).ok()
    site.write(f="two")
    os.utime(site.context / "f", (1_000_000_000, 1_000_000_000))
    assert site.read(site.build(dockerfile).ok(), "/f") == "two"


def test_a_file_that_was_just_changed_is_read_again(site: Site) -> None:
    dockerfile = "FROM base\nCOPY f /f\n"
    for number in range(10):
        site.write(f=f"{number}")
        assert site.read(site.build(dockerfile).ok(), "/f") == f"{number}"


def test_only_the_arguments_that_a_step_can_see_decide_about_it(site: Site) -> None:
    dockerfile = "FROM base\nRUN echo > /before\nARG v\nENV e=1\nCOPY f /f\nRUN echo $v > /after\n"
    site.write(f="f")
    site.build(dockerfile, build_args={"v": "1"}).ok()
    again = site.build(dockerfile, build_args={"v": "2"})
    assert again.cached == [False, True, True, True, True, False]
    assert site.read(again.ok(), "/after") == "2\n"


def test_how_a_parent_came_to_be_does_not_decide(site: Site) -> None:
    site.build("FROM base\nENV a=b\nENV a=\nRUN cat /bin/busybox > /dev/null\n").ok()
    again = site.build("FROM base\nENV a=c\nENV a=\nRUN cat /bin/busybox > /dev/null\n")
    assert again.cached == [False, False, False, True]


def test_the_cache_is_kept_within_its_bound_the_oldest_first(site: Site) -> None:
    def layer(name: str) -> str:
        return f"FROM base AS a\nRUN head -c 300000 /dev/zero > /{name}\nFROM base\nCOPY --from=a /bin/sh /s{name}\n"

    async def collect(limit: int) -> list[str]:
        builder, client = await site.connected()
        client.close()
        return [gone.provenance.created_by for gone in builder.cache.collect(limit)]

    for name in ("one", "two", "three"):
        site.build(layer(name)).ok()
    gone = run(collect(650_000))
    assert len(gone) == 1
    assert "/one" in gone[0]
    assert site.build(layer("three")).cached[1]
    assert not site.build(layer("one")).cached[1]
    assert len(run(collect(0))) == 3
    assert site.images.check() == []


def test_a_layer_that_goes_in_the_last_moment_is_made_again(files: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = "sha256:" + "0" * 64
    monkeypatch.setattr(BuildCache, "find", lambda self, key: Record("2024-01-01T00:00:00Z", (gone, gone)))
    built = files.build(COPIES)
    built.ok()
    assert built.cached == [False] * 5
