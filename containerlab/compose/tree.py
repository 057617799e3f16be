"""Files to one tree: parse, fill in variables, include, expand short forms, extend, and merge one over the other.

The order is docker compose's, file by file: what is included is there when a service extends it, and a later file lies
over all of the earlier one.
"""

from __future__ import annotations

__all__ = ["File", "Scope", "assemble"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from containerlab.compose import document, dotenv
from containerlab.compose.interpolation import Variables, interpolate
from containerlab.compose.merge import merge, merge_services, settle
from containerlab.compose.nodes import Fields, Items, Node, Place, Scalar, Source, describe, fields_of, kind, near, size
from containerlab.compose.reading import string, strings, table
from containerlab.compose.short import Folder, long_forms
from containerlab.errors import ComposeError

_DEEPEST = 50
_MOST_FILES = 1000  # a file that is included twice by each of two that are included twice … is read again each time
_MOST_NODES = 300_000  # of one file, once services are extended
_SECTIONS = ("services", "networks", "volumes", "secrets", "configs")
_REMOTE = ("http://", "https://", "git@", "git://", "ssh://", "oci://", "github.com/")


@dataclass(frozen=True)
class File:
    """A file's text, and its name as errors show it. ``path`` is None for a text that no file holds."""

    name: str
    text: str
    path: Path | None = None

    @cached_property
    def documents(self) -> list[Fields]:
        return document.parse(self.text, self.name)

    @classmethod
    def read(cls, path: Path) -> File:
        name = shown(path)
        return cls(name, document.read(path, name), path)


def shown(path: Path) -> str:
    """Relative where it lies below the working directory."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


@dataclass
class Scope:
    """What the files of one project share. ``warnings`` gathers sentences for the user, ``files`` what was read."""

    folder: Folder
    variables: Variables
    warnings: list[str] = field(default_factory=list)
    interpolated: bool = True
    files: list[str] = field(default_factory=list)

    def documents(self, file: File) -> Iterator[Fields]:
        """A file's documents with their variables filled in."""
        self.files.append(file.name)
        if len(self.files) > _MOST_FILES:
            raise ComposeError(f"more than {_MOST_FILES} files", file=file.name, line=1)
        for parsed in file.documents:
            filled = interpolate(parsed, self.variables) if self.interpolated else parsed
            yield fields_of(filled)

    def below(self, path: Path, values: Mapping[str, str] | None = None) -> Scope:
        """The scope of a file elsewhere: its own folder, and maybe more variables (which never hide ours)."""
        variables = self.variables
        if values:
            variables = variables.over(values)
        return replace(self, folder=replace(self.folder, path=path), variables=variables)


def assemble(files: Sequence[File], scope: Scope, including: tuple[Path, ...] = ()) -> Fields:
    """One settled tree of all files, in long form. Raises ``ComposeError``."""
    tree = Fields({}, {}, Place(Source(files[0].name)))
    for file in files:
        chain = (*including, file.path) if file.path else including
        for given in scope.documents(file):
            if "version" in given.entries:
                scope.warnings.append(
                    f"{file.name}: the attribute `version` is obsolete, it will be ignored, "
                    "please remove it to avoid potential confusion"
                )
            own = long_forms(given.without(["include", "version"]), scope.folder)
            own = _with_included(own, given.entries.get("include"), scope, chain)
            tree = merge(tree, _Extending(file, own, scope).document())
    return _with_contexts(fields_of(settle(tree)), scope.folder)


def _with_contexts(tree: Fields, folder: Folder) -> Fields:
    """A build that names no context has the folder of its project."""
    services = tree.entries.get("services")
    if not isinstance(services, Fields):
        return tree
    for name, service in services.entries.items():
        build = service.entries.get("build") if isinstance(service, Fields) else None
        if isinstance(service, Fields) and isinstance(build, Fields) and "context" not in build.entries:
            context = Scalar(str(folder.path), build.place)
            services = services.with_(name, service.with_("build", build.with_("context", context)))
    return tree.with_("services", services)


def _names(node: Node) -> tuple[str, ...]:
    return strings(node) if isinstance(node, Items) else (string(node),)


_INCLUDE = table({"path": _names, "project_directory": string, "env_file": _names})


def _with_included(own: Fields, include: Node | None, scope: Scope, chain: tuple[Path, ...]) -> Fields:
    if include is None or (isinstance(include, Scalar) and kind(include) is None):
        return own
    if not isinstance(include, Items):
        raise include.place.error(f"`include` must be a list, not {describe(include)}")
    if len(chain) > _DEEPEST:
        raise include.place.error(f"include nested deeper than {_DEEPEST} files")
    for entry in include.items:
        own = _imported(own, _included(entry, scope, chain), entry.place)
    return own


def _included(entry: Node, scope: Scope, chain: tuple[Path, ...]) -> Fields:
    found: dict[str, Any] = {"path": (string(entry),)} if isinstance(entry, Scalar) else _INCLUDE(entry)
    names: tuple[str, ...] = found.get("path", ())
    if not names:
        raise entry.place.error("missing property 'path'")
    for name in names:
        if name.startswith(_REMOTE):
            raise entry.place.error(f"include of {name} is not supported: a file of this host alone can be included")
    paths = [Path(scope.folder.absolute(name)) for name in names]
    for path in paths:
        if path in chain:
            cycle = [str(one) for one in (*chain, path)]
            raise entry.place.error(f"include cycle detected:\n{cycle[0]}\n include " + "\n include ".join(cycle[1:]))
    given = found.get("project_directory")
    directory = Path(scope.folder.absolute(given)) if given else paths[0].parent
    values = _own_environment(found.get("env_file"), directory, scope, entry.place)
    files = [_readable(path, entry.place) for path in paths]
    return assemble(files, scope.below(directory, values), chain)


def _readable(path: Path, place: Place) -> File:
    try:
        return File.read(path)
    except ComposeError as error:
        raise (place.error(error.message) if not error.line else error) from error


def _own_environment(names: tuple[str, ...] | None, directory: Path, scope: Scope, place: Place) -> dict[str, str]:
    if names is None:
        paths = [directory / ".env"] if document.is_file(directory / ".env") else []
    else:
        paths = [Path(scope.folder.absolute(name)) for name in names if name != "/dev/null"]
    values: dict[str, str] = {}
    for path in paths:
        if not document.is_file(path):
            raise place.error(f"env file {path} not found")
        values.update(dotenv.read(path, {**values, **scope.variables.values}))
    return values


def _imported(own: Fields, included: Fields, place: Place) -> Fields:
    """What the file says, and what it includes; the same name in both is an error, unless it is the very same
    resource."""
    for section in _SECTIONS:
        theirs = included.entries.get(section)
        if theirs is None:
            continue
        mine = fields_of(own.entries.get(section) or Fields({}, {}, place))
        other = fields_of(theirs)
        for name in other.entries:
            if name in mine.entries and _plain(mine.entries[name]) != _plain(other.entries[name]):
                raise mine.key(name).error(
                    f"{section}.{name} conflicts with imported resource",
                    hint=f"It is defined at {other.key(name)} too. List an override under `path` of the include.",
                )
        own = own.with_(section, Fields({**other.entries, **mine.entries}, {**other.keys, **mine.keys}, mine.place))
    return own


def _plain(node: Node) -> object:
    """The tree as plain data, without places."""
    if isinstance(node, Fields):
        return {name: _plain(entry) for name, entry in node.entries.items()}
    if isinstance(node, Items):
        return [_plain(item) for item in node.items]
    return kind(node)


_EXTENDS = table({"service": string, "file": string})


class _Extending:
    """Services of one file over those that they extend, in this file or in others."""

    def __init__(self, file: File, content: Fields, scope: Scope) -> None:
        self._file, self._content, self._scope = file, content, scope
        services = content.entries.get("services")
        self._services = fields_of(services) if services is not None and services.mark != "reset" else None
        self._done: dict[str, Node] = {}
        self._others: dict[Path, _Extending] = {}

    def document(self) -> Fields:
        if self._services is None:
            return self._content
        entries: dict[str, Node] = {}
        nodes = 0
        for name in self._services.entries:
            entries[name] = self.service(name, ())
            nodes += size(entries[name])
            if nodes > _MOST_NODES:
                raise self._services.key(name).error(f"more than {_MOST_NODES} values, services extended")
        return self._content.with_("services", replace(self._services, entries=entries))

    def service(self, name: str, chain: tuple[tuple[str, str], ...]) -> Node:
        """One service with its base below it; ``chain`` is who extends whom so far, as (file, service)."""
        assert self._services is not None
        if name not in self._done:
            self._done[name] = self._extended(name, self._services.entries[name], chain)
        return self._done[name]

    def has(self, name: str) -> bool:
        return self._services is not None and name in self._services.entries

    def near(self, name: str) -> str:
        return near(name, self._services.entries) if self._services else ""

    def _extended(self, name: str, node: Node, chain: tuple[tuple[str, str], ...]) -> Node:
        extends = node.entries.get("extends") if isinstance(node, Fields) else None
        if not isinstance(node, Fields) or extends is None:
            return node
        own = node.without(["extends"])
        if extends.mark == "reset" or (isinstance(extends, Scalar) and kind(extends) is None):
            return own
        here = (self._file.name, name)
        if here in chain:
            raise extends.place.error(_circle((*chain, here)))
        if len(chain) > _DEEPEST:
            raise extends.place.error(f"extends nested deeper than {_DEEPEST} services")
        base = settle(self._base(name, extends, (*chain, here)))
        return merge_services(fields_of(base), own)

    def _base(self, name: str, extends: Node, chain: tuple[tuple[str, str], ...]) -> Node:
        found = _EXTENDS(extends)
        if "service" not in found:
            raise extends.place.error(f"extends.{name}.service is required")
        ref = found["service"]
        target = self._elsewhere(found["file"], extends) if "file" in found else self
        if not target.has(ref):
            where = f" in {target._file.name}" if target is not self else ""
            raise extends.place.error(
                f'cannot extend service "{name}" in {self._file.name}: service "{ref}" not found{where}',
                hint=target.near(ref),
            )
        return target.service(ref, chain)

    def _elsewhere(self, path: str, extends: Node) -> _Extending:
        if path.startswith(_REMOTE):
            raise extends.place.error(f"extends from {path} is not supported: a file of this host alone can be read")
        absolute = Path(path)
        if absolute == self._file.path:
            return self
        if absolute not in self._others:
            self._others[absolute] = self._read(absolute, extends.place)
        return self._others[absolute]

    def _read(self, path: Path, place: Place) -> _Extending:
        file = _readable(path, place)
        scope = self._scope.below(path.parent)
        content = Fields({}, {}, Place(Source(file.name)))
        for given in scope.documents(file):
            content = merge(content, long_forms(given.without(["include", "version"]), scope.folder))
        return _Extending(file, content, scope)


def _circle(chain: tuple[tuple[str, str], ...]) -> str:
    lines = [f"{service} in {file}" for file, service in chain]
    return "circular reference:\n  " + "\n  extends ".join(lines)
