"""Where a program's libraries go in an image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from containerlab.images.embedded import elf
from containerlab.images.embedded.tree import Tree

__all__ = ["add_libraries"]

_OPENED_WHILE_RUNNING = ("libgcc_s.so.1", "libnss_files.so.2", "libnss_dns.so.2")
"""What libc opens by itself: to cancel a thread; before glibc 2.34, to read /etc/passwd and to ask for names."""


def add_libraries(tree: Tree, programs: Iterable[Path], place: Callable[[Path], str | None]) -> None:
    """Add the loaders and libraries that ``programs`` need.

    ``place`` says where a host's file that others find relative to themselves stands in the image; None when it has
    no place there. Every other library goes to the C library's own folder: the loader searches that one with no help
    of an ``ld.so.cache``.
    """
    libraries, loaders = elf.closure(programs)
    if not loaders and not libraries:
        return
    home = _libc_folder(libraries, loaders)
    opened = [Path(home) / name for name in _OPENED_WHILE_RUNNING]
    libraries += elf.closure(path for path in opened if path.is_file())[0]
    libraries += [elf.Library(path.name, path, False) for path in opened if path.is_file()]
    for library in libraries:
        where = place(library.path) if library.relative else None
        tree.file(where or f"{home.lstrip('/')}/{library.name}", library.path.resolve(), 0o755)
    for loader in loaders:
        tree.file(loader.lstrip("/"), Path(loader).resolve(), 0o755)


def _libc_folder(libraries: list[elf.Library], loaders: set[str]) -> str:
    for library in libraries:
        if library.name in ("libc.so.6", "libc.so"):
            return str(library.path.parent)
    return str(Path(min(loaders)).parent)
