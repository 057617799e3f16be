"""Folders that are removed while nobody waits."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from containerlab.database import Database
from containerlab.images import LayerStore
from containerlab.images.graves import Graves


def _archive(count: int) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(count):
            archive.addfile(tarfile.TarInfo(f"d/{number}"))
    out.seek(0)
    return out


def test_every_folder_is_gone_once_it_was_waited_for(tmp_path: Path) -> None:
    graves = Graves()
    for round_ in range(3):
        for number in range(20):
            folder = tmp_path / f"{round_}-{number}" / "deep"
            folder.mkdir(parents=True)
            (folder / "file").touch()
            graves.add(folder.parent)
        graves.finish()
        assert list(tmp_path.iterdir()) == []
    graves.add(tmp_path / "absent")
    graves.finish()


def test_a_layer_made_once_more_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "db.sqlite")
    # The table that images are in is the image store's.
    with database.transaction(durable=False) as transaction:
        transaction.execute("CREATE TABLE images (chain_id TEXT)")
    layers = LayerStore(database, tmp_path)
    first = layers.unpack(_archive(50), None)
    second = layers.unpack(_archive(50), None)
    layers.finish_removals()
    assert second == first
    assert len(list(layers.diff(first.chain_id).joinpath("d").iterdir())) == 50
    assert list((tmp_path / "tmp").iterdir()) == []
    assert layers.check() == []
    database.close()
