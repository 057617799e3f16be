"""The files of the layers: where each lies, how one appears and how it goes.

    layers/HEX/diff         the unpacked files, overlayfs's marks in place of ``.wh.`` names
    layers/HEX/layer.json   chain ID, diff ID, parent, size, provenance
    layers/HEX/tar-record   what makes the layer's own tar of the files again (record.py), with replaced/
    layers/HEX/view         where nothing can be mounted: it and all below it as one tree, of links to their files
    layers/HEX/spare        a copy of that for the next container (runtime/proot/spare.py)
    layers/l/SHORT          a link to ../HEX/diff; mount(2) has one page for all names
    layers/empty            what an overlay stands on that has no layer, or just one

A layer appears, and goes, by one rename from or to the scratch folder on the same file system.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from containerlab.images import trees
from containerlab.images._syscalls import syncfs
from containerlab.images.graves import Graves
from containerlab.images.spread import spread

__all__ = ["LayerFolder"]

_LINK_DIGITS = 16
_MORE_DIGITS = 8
_LINKS = "l"
_EMPTY = "empty"


class LayerFolder:
    """``folder`` and ``scratch``, made when missing. Chain IDs are ``sha256:HEX``."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder, self.scratch = folder, scratch
        self.graves = Graves()
        for path in (scratch, folder / _LINKS, folder / _EMPTY / "diff", folder / _EMPTY / "second"):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (folder / _EMPTY / "diff", folder / _EMPTY / "second"):
            path.chmod(0o755)  # it shows as the root of an image without layers
        self._link(_EMPTY, _EMPTY)
        spread(scratch)

    def lower(self, links: list[str]) -> list[str]:
        """Overlayfs's names of layers by their short links, relative to ``folder``; never empty."""
        return [f"{_LINKS}/{link}" for link in links or [_EMPTY]]

    def lower_of_two(self, links: list[str]) -> list[str]:
        """The same, at least two: overlayfs wants those where nothing can be written."""
        names = self.lower(links)
        return names if len(names) > 1 else [*names, f"{_EMPTY}/second"]

    def of(self, chain: str) -> Path:
        """A layer's own folder."""
        return self.folder / _hex(chain)

    def diff(self, chain: str) -> Path:
        """Where a layer's files lie."""
        return self.of(chain) / "diff"

    def view(self, chain: str) -> Path:
        """Where the tree of a layer and all below it lies, once it was needed."""
        return self.of(chain) / "view"

    @property
    def diff_of_nothing(self) -> Path:
        """An empty directory: the files of an image without layers."""
        return self.folder / _EMPTY / "diff"

    @contextlib.contextmanager
    def half_made(self, kind: str) -> Iterator[Path]:
        """A fresh folder in the scratch folder; what is left of it at the end goes."""
        half = self.scratch / f"{kind}-{secrets.token_hex(8)}"
        half.mkdir(mode=0o700)
        try:
            yield half
        finally:
            self._discard(half)

    def adopt(self, half: Path, chain: str) -> str:
        """Make the finished folder ``half`` the layer's; gives its short link."""
        name = _hex(chain)
        self._bury(self.folder / name)  # files without a row, left by a crash
        half.rename(self.folder / name)
        digits = _LINK_DIGITS
        while not self._link(name[:digits], name):  # two layers share these digits
            digits += _MORE_DIGITS
        return name[:digits]

    def bury_later(self, half: Path) -> None:
        """Take the folder ``half`` out of the way now, and have it removed while nobody waits."""
        self.graves.add(half.rename(self._grave()))

    def erase(self, chain: str) -> None:
        """Remove a layer's files; one that has none is no error."""
        name = _hex(chain)
        for digits in range(_LINK_DIGITS, len(name) + 1, _MORE_DIGITS):
            path = self.folder / _LINKS / name[:digits]
            if path.is_symlink() and str(path.readlink()) == _target(name):
                path.unlink()
        self._bury(self.folder / name)

    def sync(self) -> None:
        """Write the file system that the layers lie on to its disk."""
        with trees.directory(self.folder) as fd:
            syncfs(fd)

    def chains(self) -> list[str]:
        """The chain IDs that have a folder."""
        return ["sha256:" + path.name for path in self.folder.iterdir() if path.name not in (_LINKS, _EMPTY)]

    def links(self) -> dict[str, str]:
        """Short links, and the chain ID each one leads to."""
        found = {}
        for path in (self.folder / _LINKS).iterdir():
            if path.name != _EMPTY:
                found[path.name] = "sha256:" + path.readlink().parent.name
        return found

    def sweep(self, links: dict[str, str]) -> None:
        """Bring the folder back to what the rows say: ``links`` maps every known chain ID to its short link."""
        for path in self.scratch.iterdir():
            self._discard(path)
        for chain in self.chains():
            if chain not in links:
                self.erase(chain)
        for short, chain in self.links().items():
            if links.get(chain) != short:
                (self.folder / _LINKS / short).unlink()
        for chain, short in links.items():
            self._link(short, _hex(chain))

    def _link(self, short: str, name: str) -> bool:
        path = self.folder / _LINKS / short
        try:
            path.symlink_to(_target(name))
        except FileExistsError:
            return str(path.readlink()) == _target(name)
        return True

    def _bury(self, path: Path) -> None:
        """First out of sight by one rename, then removed piece by piece."""
        grave = self._grave()
        try:
            path.rename(grave)
        except FileNotFoundError:
            return
        self._discard(grave)

    def _grave(self) -> Path:
        return self.scratch / f"gone-{secrets.token_hex(8)}"

    def _discard(self, path: Path) -> None:
        with trees.directory(path.parent) as fd:
            trees.remove_at(fd, path.name)


def _hex(chain: str) -> str:
    return chain.removeprefix("sha256:")


def _target(name: str) -> str:
    return f"../{name}/diff"
