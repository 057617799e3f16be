"""``save``, ``load``, ``import``, ``export`` and ``commit`` of our own command line and magics."""

from __future__ import annotations

import contextlib
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from containerlab.commands.context import Context
from containerlab.errors import ContainerlabError, InvalidParameter, NoSuchContainer, NoSuchImage, UsageError
from tests.commands.conftest import Kept

Verb = Callable[[str], Any]
RUN = "run --network none"
IMAGE = "lab/busybox"


@pytest.fixture
def tag(client: docker.DockerClient) -> Iterator[str]:
    chosen = f"t{uuid.uuid4().hex[:10]}:1"
    yield chosen
    with contextlib.suppress(docker.errors.ImageNotFound):
        client.images.remove(chosen, force=True)


def test_commit_save_and_load(verb: Verb, name: str, tag: str, tmp_path: Path, client: docker.DockerClient) -> None:
    verb(f"{RUN} --name {name} {IMAGE} sh -c 'echo x > /x'")
    committed = verb(f"commit -m word -a Ada -c 'CMD cat /x' {name} {tag}")
    assert committed.id == str(committed) == client.images.get(tag).id
    assert committed.name == tag and name in committed.calm()
    path = tmp_path / "saved.tar"
    written = verb(f"save -o {path} {tag}")
    assert (written.size, str(written)) == (path.stat().st_size, "")
    assert path.stat().st_mode & 0o777 == 0o600
    client.images.remove(tag)
    loaded = verb(f"load -i {path}")
    assert loaded.images == [tag] and str(loaded) == f"Loaded image: {tag}"
    assert verb(f"{RUN} --rm {tag}").stdout == "x\n"
    assert [each.name for each in tmp_path.iterdir() if each.suffix] == ["saved.tar"]


def test_save_goes_to_standard_output(verb: Verb, output: Kept, tag: str) -> None:
    verb(f"tag {IMAGE} {tag}")
    verb(f"save {tag} {IMAGE}")
    assert b"manifest.json" in output.out and output.out.endswith(bytes(1024))


def test_a_notebook_needs_a_file(verb: Verb, context: Context, name: str) -> None:
    context.notebook = True
    verb(f"create --network none --name {name} {IMAGE} true")
    for words in (f"save {IMAGE}", f"export {name}"):
        with pytest.raises(UsageError, match="-o FILE"):
            verb(words)


def test_export_and_import(verb: Verb, name: str, tag: str, tmp_path: Path) -> None:
    verb(f"{RUN} --name {name} {IMAGE} sh -c 'echo kept > /kept'")
    path = tmp_path / "root.tar"
    verb(f"export -o {path} {name}")
    with tarfile.open(path) as tar:
        assert "kept" in tar.getnames()
    [image] = verb(f"import -c 'CMD cat /kept' -m by-hand {path} {tag}")
    assert image.startswith("sha256:")
    assert verb(f"{RUN} --rm {tag}").stdout == "kept\n"


def test_what_cannot_be_is_said(verb: Verb, tmp_path: Path, name: str) -> None:
    with pytest.raises(NoSuchImage):
        verb(f"save -o {tmp_path}/x.tar lab/nothing")
    with pytest.raises(NoSuchContainer):
        verb(f"export -o {tmp_path}/x.tar nobody-here")
    with pytest.raises(ContainerlabError, match="can't be written"):
        verb(f"save -o {tmp_path}/no/x.tar {IMAGE}")
    with pytest.raises(UsageError, match="can't be read"):
        verb(f"load -i {tmp_path}/none.tar")
    with pytest.raises(UsageError, match="nothing to read"):
        verb("load")
    (tmp_path / "broken.tar").write_bytes(b"no tar")
    with pytest.raises(ContainerlabError):
        verb(f"load -i {tmp_path}/broken.tar")
    verb(f"create --network none --name {name} {IMAGE} true")
    with pytest.raises(InvalidParameter, match="not a valid change"):
        verb(f"commit -c 'RUN true' {name}")
    assert [path.name for path in tmp_path.iterdir() if path.suffix] == ["broken.tar"]


def test_pause_may_be_told_off(verb: Verb, name: str, tag: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sh -c 'echo y > /y; sleep 1000'")
    assert verb(f"commit --pause=false {name} {tag}").id
    assert verb(f"inspect {name} --format '{{{{.State.Status}}}}'")[0] == "running"
