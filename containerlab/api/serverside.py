"""aiohttp's server without its client: 4.5 MB of every engine, and forty engines may stand on one host.

``import aiohttp.web`` runs ``aiohttp/__init__.py``, which imports the client, its connector and its resolver. An engine
asks nobody by aiohttp. So the package is entered without its ``__init__``; the first who wants a name of it that isn't
a module of the server's gets it all, as ever.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["enter_without_client"]

_VERSION = re.compile(rb'^__version__ = "([^"]+)"', re.MULTILINE)


def enter_without_client() -> None:
    """Before aiohttp is first imported, in a process that serves; does nothing where that is too late."""
    if "aiohttp" in sys.modules:
        return
    spec = importlib.util.find_spec("aiohttp")
    version = _version(spec) if spec is not None else None
    if spec is None or version is None:
        return
    package = importlib.util.module_from_spec(spec)
    names = vars(package)
    names["__version__"] = version

    def whole(name: str) -> Any:
        # `from aiohttp import web` asks here first.
        if importlib.util.find_spec(f"aiohttp.{name}") is not None:
            return importlib.import_module(f"aiohttp.{name}")
        if name.startswith("__"):  # the import system looks for some
            raise AttributeError(name)
        del names["__getattr__"]
        _execute(package, spec)
        return getattr(package, name)

    names["__getattr__"] = whole  # PEP 562
    sys.modules["aiohttp"] = package


def _version(spec: ModuleSpec) -> str | None:
    """What ``aiohttp.http`` imports from the package, read from its source."""
    found = None
    if spec.origin is not None:
        with open(spec.origin, "rb") as file:
            found = _VERSION.search(file.read(4096))
    return found[1].decode() if found else None


def _execute(package: ModuleType, spec: ModuleSpec) -> None:
    if spec.loader is None:
        raise ImportError("aiohttp can't be loaded", name="aiohttp")
    spec.loader.exec_module(package)
