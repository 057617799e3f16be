"""``cp``: files between a container and the person's own folder. Options, paths and words are Docker's."""

from __future__ import annotations

__all__ = ["Copied", "cp_command"]

import base64
import json
import os
import threading
from collections.abc import Iterator
from typing import IO, Any

import click

from containerlab.commands import formats
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result
from containerlab.errors import UsageError

_CHUNK = 1 << 18
_GO_DIRECTORY, _GO_LINK, _GO_DEVICE = 1 << 31, 1 << 27, 1 << 26


class Copied(Result):
    """What was copied, and where to."""

    def __init__(self, size: int, destination: str, *, quiet: bool = False) -> None:
        self.size, self.destination, self._quiet = size, destination, quiet

    def to_dict(self) -> dict[str, Any]:
        return {"size": self.size, "destination": self.destination}

    def __str__(self) -> str:
        return ""

    def calm(self) -> str:
        return "" if self._quiet else f"Successfully copied {formats.size(self.size)} to {self.destination}"


@verb("cp", help="Copy files between a container and your own folder; - is a tar on standard input or output.")
@click.option("-a", "--archive", "as_user", is_flag=True, help="Give what goes in to the container's user.")
@click.option("-L", "--follow-link", "follow", is_flag=True, help="Follow a link that the source is.")
@click.option("-q", "--quiet", is_flag=True, help="Don't tell what was copied.")
@click.argument("from_path", metavar="CONTAINER:PATH|PATH|-")
@click.argument("to_path", metavar="CONTAINER:PATH|PATH|-")
@pass_context
def cp_command(context: Context, from_path: str, to_path: str, as_user: bool, follow: bool, quiet: bool) -> Result:
    source, destination = context.variable(from_path), context.variable(to_path)
    if not source or not destination:
        raise UsageError(f"{'source' if not source else 'destination'} can not be empty")
    (from_box, inside), (to_box, into) = _ends(source), _ends(destination)
    if from_box and to_box:
        raise UsageError("copying between containers is not supported")
    if from_box:
        result = _copy_out(context, from_box, inside, into, follow=follow, quiet=quiet)
    elif to_box:
        result = _copy_in(context, inside, to_box, into, follow=follow, as_user=as_user, quiet=quiet)
    else:
        raise UsageError("must specify at least one container source", hint="A container's path is CONTAINER:PATH.")
    if result.calm() and not context.notebook:
        context.output.notice(result.calm())
    return result


def _ends(text: str) -> tuple[str, str]:
    """``CONTAINER:PATH``, or no container and a path of the person's: absolute, or beginning with a dot."""
    box, colon, path = text.partition(":")
    if not colon or text.startswith(("/", ".")):
        return "", text
    return box, path


def _copy_out(context: Context, box: str, path: str, to_path: str, *, follow: bool, quiet: bool) -> Copied:
    from containerlab.images import local

    called = b""
    if follow:
        described = _stat(context, box, path)
        if described is not None and described["mode"] & _GO_LINK:
            called, path = local.base_of(os.fsencode(path)), _behind(path, described["linkTarget"])
    pieces, described = context.client.api.get_archive(box, path, chunk_size=_CHUNK)
    with _Pieces(pieces) as stream:
        if to_path == "-":
            while data := stream.read(_CHUNK):
                context.output.stdout(data)
            return Copied(0, "-", quiet=True)
        done = local.receive(
            stream,
            _absolute(to_path),
            local.base_of(os.fsencode(path if path.startswith("/") else f"/{path}")),
            is_directory=bool(described["mode"] & _GO_DIRECTORY),
            called=called,
        )
    for note in done.notes:
        context.output.notice(note)
    return Copied(done.size, to_path, quiet=quiet)


def _copy_in(
    context: Context, path: str, box: str, to_path: str, *, follow: bool, as_user: bool, quiet: bool
) -> Copied:
    from containerlab.images import local

    source = None if path == "-" else local.source(_absolute(path), follow=follow)
    end = _container_end(context, box, to_path)
    shown = f"{box}:{to_path}"
    if source is None:
        if not end.is_directory:
            raise UsageError(f'destination "{shown}" must be a directory')
        _put(context, box, os.fsdecode(end.path), _input(context), as_user)
        return Copied(0, shown, quiet=True)
    folder, name = local.placed(end, source.base, is_directory=source.is_directory)
    with _Packing(source, name) as packing:
        _put(context, box, os.fsdecode(folder), packing.pieces(), as_user)
    return Copied(packing.size, shown, quiet=quiet)


def _container_end(context: Context, box: str, path: str) -> Any:
    """What is at the destination, a link followed. What can't be told now is told by the engine when it unpacks."""
    from containerlab.images import local

    described = _stat(context, box, path)
    end = local.End(os.fsencode(path))
    if described is not None and described["mode"] & _GO_LINK:
        target = _behind(path, described["linkTarget"])
        end = local.End(os.fsencode(target))
        described = _stat(context, box, target)
    if described is not None:
        if described["mode"] & _GO_DEVICE:
            raise UsageError(f'destination "{box}:{path}" must be a directory or a regular file: got a device')
        end.exists, end.is_directory = True, bool(described["mode"] & _GO_DIRECTORY)
    if not end.path.startswith(b"/"):
        end.path = b"/" + end.path
    return end


def _behind(path: str, target: str) -> str:
    """A link's target; engines say it from the root on, some of them as it is written."""
    if target.startswith("/"):
        return target
    return os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120  the container's


def _stat(context: Context, box: str, path: str) -> dict[str, Any] | None:
    """What lies at a container's path, or None; an unknown container is found out by what comes next."""
    api = context.client.api
    answer = api.head(api._url("/containers/{0}/archive", box), params={"path": path}, timeout=api.timeout)
    header = answer.headers.get("X-Docker-Container-Path-Stat")
    if answer.status_code != 200 or not header:
        return None
    described: dict[str, Any] = json.loads(base64.b64decode(header))
    return described


def _put(context: Context, box: str, folder: str, pieces: Iterator[bytes], as_user: bool) -> None:
    api = context.client.api
    params = {"path": folder, "noOverwriteDirNonDir": "true"}
    if as_user:
        params["copyUIDGID"] = "true"
    # No time limit: an engine answers when all is written.
    answer = api.put(api._url("/containers/{0}/archive", box), params=params, data=pieces, timeout=None)
    api._raise_for_status(answer)


def _input(context: Context) -> Iterator[bytes]:
    """The tar that comes in: a cell's body, or standard input."""
    if context.body is not None:
        yield context.body
        return
    if context.stdin_fd is None:
        raise UsageError("- reads a tar from standard input, and there is none.")
    while data := os.read(context.stdin_fd, _CHUNK):
        yield data


def _absolute(path: str) -> bytes:
    """Absolute, and with its ``/`` or ``/.`` at the end kept: that says that it is a directory."""
    expanded = os.fsencode(os.path.expanduser(path))  # noqa: PTH111
    absolute = os.path.abspath(expanded)  # noqa: PTH100
    for end in (b"/.", b"/"):
        if (expanded.endswith(end) or (end == b"/." and expanded == b".")) and not absolute.endswith(b"/"):
            return absolute + end
    return absolute


class _Pieces:
    """docker-py's pieces of an archive as something to read from; closing it lets go of the connection."""

    def __init__(self, pieces: Any) -> None:
        self._pieces, self._left = pieces, b""

    def __enter__(self) -> _Pieces:
        return self

    def __exit__(self, *failure: object) -> None:
        self._pieces.close()

    def read(self, size: int = -1, /) -> bytes:
        if not self._left:
            self._left = next(self._pieces, b"")
        data, self._left = self._left[:size], self._left[size:]
        return data


class _Packing:
    """A source packed by a thread into a pipe, from which the request takes it: no more than a pipe holds is kept."""

    def __init__(self, source: Any, name: bytes) -> None:
        self._source, self._name = source, name
        self._failure: BaseException | None = None
        self.size = 0

    def __enter__(self) -> _Packing:
        reader, writer = os.pipe()
        self._reader: IO[bytes] = os.fdopen(reader, "rb", buffering=0)
        self._thread = threading.Thread(target=self._pack, args=(writer,), name="cp", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._reader.close()  # a thread that still writes is told so
        self._thread.join()

    def _pack(self, writer: int) -> None:
        try:
            with os.fdopen(writer, "wb", buffering=_CHUNK) as out:
                self.size = self._source.send(out, self._name).size
        except BrokenPipeError:
            return
        except BaseException as error:
            self._failure = error

    def pieces(self) -> Iterator[bytes]:
        """Raises what went wrong: half an archive must not look like a whole one."""
        while data := self._reader.read(_CHUNK):
            yield data
        self._thread.join()
        if self._failure is not None:
            raise self._failure
