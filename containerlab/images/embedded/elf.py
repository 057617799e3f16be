"""What an ELF program needs to run: its interpreter and shared libraries, found the way ld.so(8) finds them.

``ldd`` would do, but it runs the program's own loader; this reads the file (elf(5)), every offset bounded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Dynamic", "Library", "closure", "dynamic"]

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 1, 5, 15, 29
_MAX_HEADERS = 512
_MAX_DYNAMIC = 1 << 20
_MAX_STRING = 4096


@dataclass(frozen=True)
class Dynamic:
    """The dynamic part of one ELF file. ``kind`` is (class, byte order, machine): what may link with what."""

    kind: tuple[int, int, int]
    interpreter: str | None
    needed: tuple[str, ...]
    runpath: tuple[str, ...]

    @property
    def static(self) -> bool:
        """It runs with no loader and no library."""
        return self.interpreter is None and not self.needed


@dataclass(frozen=True)
class Library:
    """A library that was found: ``name`` as others ask for it, ``path`` on the host.

    ``relative``: found by a run path that begins with ``$ORIGIN``, so its place beside who needs it matters.
    """

    name: str
    path: Path
    relative: bool


@cache
def dynamic(path: Path) -> Dynamic | None:
    """The dynamic part of the file at ``path``; None for what is no ELF file. Raises OSError."""
    with path.open("rb") as file:
        ident = file.read(20)
        if len(ident) < 20 or ident[:4] != b"\x7fELF" or ident[4] not in (1, 2) or ident[5] not in (1, 2):
            return None
        data = ident + file.read()
    try:
        return _parse(data)
    except (struct.error, IndexError, ValueError) as error:
        raise OSError(f"{path} is a damaged ELF file: {error}") from error


def closure(programs: Iterable[Path]) -> tuple[list[Library], set[str]]:
    """Every library that ``programs`` need, theirs too, and the loaders (PT_INTERP) that they name.

    Raises FileNotFoundError, naming the library and who needs it, for one that isn't on the host.
    """
    found: dict[tuple[str, Path], Library] = {}
    loaders: set[str] = set()
    waiting: list[tuple[Path, tuple[str, ...]]] = [(program, ()) for program in programs]
    seen: set[Path] = set()
    while waiting:
        path, inherited = waiting.pop()
        part = dynamic(path)
        if part is None or path in seen:
            continue
        seen.add(path)
        if part.interpreter:
            loaders.add(part.interpreter)
        origin = str(path.resolve().parent)
        own = tuple(_expand(entry, origin) for entry in part.runpath)
        relative = {_expand(entry, origin) for entry in part.runpath if entry.startswith(("$ORIGIN", "${ORIGIN}"))}
        for name in part.needed:
            library = _find(name, part.kind, (*own, *inherited), relative)
            if library is None:
                raise FileNotFoundError(f"{name}, which {path} needs, isn't on this host")
            found[library.name, library.path] = library
            waiting.append((library.path, own or inherited))
    return sorted(found.values(), key=lambda library: (library.name, library.path)), loaders


def _find(name: str, kind: tuple[int, int, int], first: tuple[str, ...], relative: set[str]) -> Library | None:
    for folder in (*first, *_system_folders()):
        path = Path(folder) / name
        if path.is_file():
            part = dynamic(path)
            if part is not None and part.kind == kind:
                return Library(Path(name).name, path, folder in relative)
    return None


@cache
def _system_folders() -> tuple[str, ...]:
    """ld.so's own folders; Debian's multiarch ones come from /etc/ld.so.conf.d."""
    folders = _read_conf(Path("/etc/ld.so.conf"), depth=0)
    folders += ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    for parent in (Path("/lib"), Path("/usr/lib")):
        folders += sorted(str(folder) for folder in parent.glob("*-linux-gnu*"))
    return tuple(dict.fromkeys(folders))


def _read_conf(conf: Path, depth: int) -> list[str]:
    if depth > 4 or not conf.is_file():
        return []
    folders: list[str] = []
    for line in conf.read_text(errors="replace").splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("include "):
            pattern = conf.parent / line.removeprefix("include ").strip()
            for included in sorted(Path("/").glob(str(pattern).lstrip("/"))):
                folders += _read_conf(included, depth + 1)
        elif line.startswith("/"):
            folders.append(line)
    return folders


def _expand(entry: str, origin: str) -> str:
    return entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)


def _parse(data: bytes) -> Dynamic:
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    machine = struct.unpack_from(order + "H", data, 18)[0]
    kind = (data[4], data[5], machine)
    headers = _program_headers(data, wide, order)
    interpreter = None
    needed: list[int] = []
    runpath: list[int] = []
    strings = 0
    for type_, offset, _, size in headers:
        if type_ == _PT_INTERP:
            interpreter = _string(data, offset)
        elif type_ == _PT_DYNAMIC:
            for tag, value in _dynamic_entries(data, offset, min(size, _MAX_DYNAMIC), wide, order):
                if tag == _DT_NEEDED:
                    needed.append(value)
                elif tag in (_DT_RPATH, _DT_RUNPATH):
                    runpath.append(value)
                elif tag == _DT_STRTAB:
                    strings = _file_offset(headers, value)
    paths = [part for value in runpath for part in _string(data, strings + value).split(":") if part]
    return Dynamic(kind, interpreter, tuple(_string(data, strings + value) for value in needed), tuple(paths))


def _program_headers(data: bytes, wide: bool, order: str) -> list[tuple[int, int, int, int]]:
    """(type, file offset, address, size in the file) of each program header."""
    if wide:
        start = struct.unpack_from(order + "Q", data, 32)[0]
        size, count = struct.unpack_from(order + "HH", data, 54)
    else:
        start = struct.unpack_from(order + "I", data, 28)[0]
        size, count = struct.unpack_from(order + "HH", data, 42)
    found = []
    for index in range(min(count, _MAX_HEADERS)):
        at = start + index * size
        if wide:
            type_, _, offset, address, _, length = struct.unpack_from(order + "IIQQQQ", data, at)
        else:
            type_, offset, address, _, length = struct.unpack_from(order + "IIIII", data, at)
        found.append((type_, offset, address, length))
    return found


def _dynamic_entries(data: bytes, offset: int, size: int, wide: bool, order: str) -> Iterable[tuple[int, int]]:
    layout = struct.Struct(order + ("qQ" if wide else "iI"))
    for at in range(offset, offset + size, layout.size):
        tag, value = layout.unpack_from(data, at)
        if tag == 0:
            return
        yield tag, value


def _file_offset(headers: list[tuple[int, int, int, int]], address: int) -> int:
    for type_, offset, start, size in headers:
        if type_ == _PT_LOAD and start <= address < start + size:
            return offset + address - start
    raise IndexError(f"address {address:#x} is in no segment")


def _string(data: bytes, offset: int) -> str:
    end = data.index(b"\0", offset, offset + _MAX_STRING) if offset < len(data) else -1
    if end < 0:
        raise IndexError("a string outside the file")
    return data[offset:end].decode("utf-8", "surrogateescape")
