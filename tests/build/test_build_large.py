"""Contexts as large as people's: of a hundred thousand files, of a gigabyte; by the folder and by a tar."""

from __future__ import annotations

import io
import os
import tarfile
import threading

import pytest

from containerlab.build import BuildOptions, Context
from tests.build.conftest import Built, Site, run

pytestmark = [pytest.mark.root, pytest.mark.slow]

_MANY = 100_000
_GIGABYTE = 1_000_000_000


@pytest.fixture
def many(site: Site) -> Site:
    """A hundred thousand files in a thousand folders, and one that matters."""
    for folder in range(1000):
        (site.context / f"data/{folder}").mkdir(parents=True)
        for number in range(_MANY // 1000):
            (site.context / f"data/{folder}/{number}").write_bytes(b"%d" % (folder * 100 + number))
    site.write(main_dot_py="print(1)", _dot_dockerignore="data/1*\n")
    return site


def test_a_hundred_thousand_files_are_copied_and_cached_and_the_changed_one_is_found(many: Site) -> None:
    counted = "RUN ls /data | wc -l > /count; for folder in /data/*; do cat $folder/*; done | wc -c > /n\n"
    dockerfile = f"FROM base\nCOPY main.py /\nCOPY data /data\n{counted}"
    first = many.build(dockerfile)
    kept = [folder for folder in range(1000) if not str(folder).startswith("1")]
    assert many.read(first.ok(), "/count").strip() == str(len(kept))
    total = sum(len(str(folder * 100 + number)) for folder in kept for number in range(100))
    assert many.read(first.ok(), "/n").strip() == str(total)
    assert many.build(dockerfile).cached == [False, True, True, True]
    (many.context / "data/500/7").write_bytes(b"changed")
    changed = many.build(dockerfile)
    assert changed.cached == [False, True, False, False]
    assert many.read(changed.ok(), "/data/500/7") == "changed"
    # Of so many files none is remembered by name: the reason says as much as is known.
    assert changed.steps[2]["why"] == ["data changed"]
    (many.context / "data/1/7").write_bytes(b"ignored")
    assert many.build(dockerfile).cached == [False, True, True, True]


def test_a_gigabyte_is_copied_by_the_folder_and_a_small_file_beside_it_costs_nothing_of_it(site: Site) -> None:
    with open(site.context / "large", "wb") as large:
        for number in range(10):
            large.write(bytes([number]) * (_GIGABYTE // 10))
    site.write(small="small")
    assert site.read(site.build("FROM base\nCOPY small /small\n").ok(), "/small") == "small"
    image = site.build("FROM base\nCOPY large /large\nRUN tail -c 3 /large | wc -c > /n\n").ok()
    assert site.stat(image, "/large").st_size == _GIGABYTE
    with open(site.context / "large", "r+b") as large:
        large.seek(_GIGABYTE // 2)
        large.write(b"changed")
    assert site.build("FROM base\nCOPY large /large\n").cached == [False, False]


def test_a_gigabyte_as_a_tar_becomes_a_context_and_leaves_nothing(site: Site) -> None:
    reading, writing = os.pipe()
    writer = threading.Thread(target=_write_tar, args=(writing,))
    writer.start()
    scratch = site.folder / "unpacked"

    async def work() -> Built:
        builder, client = await site.connected()
        built = Built()
        try:
            with open(reading, "rb") as stream, Context.from_tar(stream, scratch) as context:
                built.image = await builder.build(context, BuildOptions(), built.messages.append)
        finally:
            client.close()
        return built

    image = run(work()).ok()
    writer.join()
    assert site.stat(image, "/large").st_size == _GIGABYTE
    assert not scratch.exists() and list((site.store / "builds").iterdir()) == []


def _write_tar(fd: int) -> None:
    text = b"FROM base\nCOPY large /large\n"
    with open(fd, "wb") as out, tarfile.open(fileobj=out, mode="w|") as archive, open("/dev/zero", "rb") as zeros:
        for name, size, source in (("Dockerfile", len(text), io.BytesIO(text)), ("large", _GIGABYTE, zeros)):
            entry = tarfile.TarInfo(name)
            entry.size = size
            archive.addfile(entry, source)
