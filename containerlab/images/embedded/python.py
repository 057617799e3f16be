"""lab/python: the interpreter and standard library that run the kit, and pip, on top of lab/busybox.

A system's Python (prefix /usr, Debian's split one too) keeps its paths; any other prefix (pyenv, conda, a
standalone build) moves to /usr/local, where python.org's own images have theirs: CPython finds its library beside its
executable (https://docs.python.org/3/library/sys_path_init.html).
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

from containerlab.errors import HostLacks
from containerlab.images.embedded import elf
from containerlab.images.embedded.libraries import add_libraries
from containerlab.images.embedded.tree import Tree

__all__ = ["interpreter_layer", "pip_layer", "version"]

_LEFT_OUT_FOLDERS = {
    *("__pycache__", "test", "tests", "idle_test", "idlelib", "tkinter", "turtledemo", "site-packages"),
    *("dist-packages", "__phello__"),
}
_LEFT_OUT_FILES = {"turtle.py", "EXTERNALLY-MANAGED", "__phello__.foo.py"}
_LEFT_OUT_MODULES = ("_tkinter.", "_test", "_ctypes_test.", "_xxtestfuzz.", "xx")
_LEFT_OUT_SUFFIXES = {".pyc", ".a", ".o"}


def version() -> str:
    """``3.11.7``."""
    return ".".join(str(part) for part in sys.version_info[:3])


def interpreter_layer() -> Tree:
    """Interpreter, standard library and the shared libraries of both."""
    prefix, name = _prefix(), f"python{_minor()}"
    tree = Tree()
    executable = _executable()
    tree.file(f"{prefix}/bin/{name}", executable, 0o755)
    tree.symlink(f"{prefix}/bin/python3", name)
    tree.symlink(f"{prefix}/bin/python", "python3")
    programs = [executable]
    for path, inside in _standard_library():
        if path.suffix != ".so":
            tree.file(inside, path)
        elif _links(path):
            tree.file(inside, path, 0o755)
            programs.append(path)
    tree.directory(_site_packages())
    add_libraries(tree, programs, _place)
    return tree


def pip_layer() -> Tree:
    """pip, from this environment or from the wheel that ensurepip carries. Raises HostLacks without either."""
    tree = Tree()
    for name, content in _pip_files():
        tree.file(f"{_site_packages()}/{name}", content)
    script = (
        f"#!/{_prefix()}/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\n\n"
        'if __name__ == "__main__":\n    sys.exit(main())\n'
    ).encode()
    for name in ("pip", "pip3", f"pip{_minor()}"):
        tree.file(f"usr/local/bin/{name}", script, 0o755)
    return tree


def _minor() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _prefix() -> str:
    """Where Python lives in the image."""
    return "usr" if Path(sys.base_prefix) == Path("/usr") else "usr/local"


def _site_packages() -> str:
    """Where pip installs to: Debian's Python has its own name for it, and puts it under /usr/local."""
    debian = "deb_system" in sysconfig.get_scheme_names()
    return f"usr/local/lib/python{_minor()}/{'dist-packages' if debian else 'site-packages'}"


def _place(path: Path) -> str | None:
    """A file of the host's Python prefix, in the image."""
    try:
        return f"{_prefix()}/{path.resolve().relative_to(Path(sys.base_prefix).resolve())}"
    except ValueError:
        return None


def _executable() -> Path:
    """The real interpreter, not a virtual environment's link or a version manager's shim."""
    candidates = (Path(sys.base_prefix) / "bin" / f"python{_minor()}", Path(os.path.realpath(sys.executable)))
    for candidate in candidates:
        if candidate.is_file() and elf.dynamic(candidate.resolve()) is not None:
            return candidate.resolve()
    raise HostLacks(f"lab/python can't be made: no interpreter of Python {_minor()} under {sys.base_prefix}.")


def _standard_library() -> Iterator[tuple[Path, str]]:
    """Each file, and its path in the image."""
    root = Path(sysconfig.get_path("stdlib"))
    inside = f"{_prefix()}/lib/python{_minor()}"
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = sorted(name for name in names if not _left_out_folder(name))
        for file in sorted(files):
            path = here / file
            if not _left_out_file(path):
                yield path, f"{inside}/{path.relative_to(root)}"


def _left_out_folder(name: str) -> bool:
    return name in _LEFT_OUT_FOLDERS or name.startswith("config-")


def _left_out_file(path: Path) -> bool:
    if path.name in _LEFT_OUT_FILES or path.suffix in _LEFT_OUT_SUFFIXES or not path.is_file():
        return True
    return path.suffix == ".so" and path.name.startswith(_LEFT_OUT_MODULES)


def _links(extension: Path) -> bool:
    """Whether every library that this module needs is here: one that can't be imported here is left out."""
    try:
        elf.closure([extension])
    except FileNotFoundError:
        return False
    return True


def _pip_files() -> list[tuple[str, bytes]]:
    installed = _installed_pip()
    if installed:
        return installed
    for folder in (Path(sysconfig.get_path("stdlib")) / "ensurepip/_bundled", Path("/usr/share/python-wheels")):
        for wheel in sorted(folder.glob("pip-*.whl"), reverse=True):
            return _wheel_files(wheel.read_bytes())
    raise HostLacks(
        "lab/python can't be made with pip: pip isn't installed beside the kit, and Python has no bundled wheel of it.",
        hint="Install it: python3 -m pip install pip, or the package python3-venv.",
    )


def _installed_pip() -> list[tuple[str, bytes]]:
    try:
        distribution = importlib.metadata.distribution("pip")
    except importlib.metadata.PackageNotFoundError:
        return []
    found = []
    for file in distribution.files or []:
        # ".." leads to the scripts, whose first line names this host's interpreter.
        if ".." not in file.parts and "__pycache__" not in file.parts:
            path = Path(str(file.locate()))
            if path.is_file():
                found.append((file.as_posix(), path.read_bytes()))
    return found


def _wheel_files(wheel: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        return [(name, archive.read(name)) for name in names]
