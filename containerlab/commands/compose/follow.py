"""The output of several containers in one stream: each line with its container's name before it."""

from __future__ import annotations

__all__ = ["Printer", "Streams", "merged", "unix"]

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import docker.errors
import requests

from containerlab.commands.output import Output
from containerlab.commands.streams import Frames, get
from containerlab.compose.observe import Instance

# The colours that docker compose takes in turn, then their bright kin.
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


class Printer:
    """Writes whole lines, one at a time. ``width`` is that of the longest name."""

    def __init__(self, output: Output, names: Sequence[str], *, coloured: bool, prefixed: bool) -> None:
        self._output, self._coloured, self._prefixed = output, coloured, prefixed
        self._width = max(map(len, names), default=0)
        self._colours = {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(names)}
        self._lock = threading.Lock()
        self.muted = False

    def line(self, name: str, text: bytes, stream: int = 1) -> None:
        """``text`` without its end."""
        head = self._paint(name, f"{name:<{self._width}}  | ").encode() if self._prefixed else b""
        with self._lock:
            if not self.muted:
                (self._output.stderr if stream == 2 else self._output.stdout)(head + text + b"\n")

    def status(self, name: str, text: str) -> None:
        """A word about the container itself."""
        with self._lock:
            if not self.muted:
                self._output.stdout(f"{self._paint(name, f'{name} {text}')}\n".encode())

    def _paint(self, name: str, text: str) -> str:
        colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured else text


def _lines(response: requests.Response, *, tty: bool) -> Iterator[tuple[int, bytes]]:
    """Stream and line, without its end; what is left at the end counts as a line."""
    frames, kept = Frames(raw=tty), {1: b"", 2: b""}
    for piece in response.iter_content(chunk_size=None):
        for stream, payload in frames.feed(piece):
            number = 2 if stream == 2 else 1
            *whole, kept[number] = (kept[number] + payload).split(b"\n")
            yield from ((number, line.removesuffix(b"\r") if tty else line) for line in whole)
    yield from ((number, rest) for number, rest in kept.items() if rest)


def _log(client: Any, one: str, params: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    tty = bool(client.api.inspect_container(one)["Config"]["Tty"])
    response = get(client, f"/containers/{one}/logs", params={"stdout": 1, "stderr": 1, **params})
    try:
        yield from _lines(response, tty=tty)
    finally:
        response.close()


def merged(
    client: Any, ones: Sequence[Instance], printer: Printer, params: Mapping[str, Any], *, timestamps: bool
) -> None:
    """What the containers have written so far, by time."""

    def stamped(at: int, one: Instance) -> Iterator[tuple[bytes, int, int, bytes]]:
        for stream, line in _log(client, one.id, {**params, "timestamps": 1}):
            moment, _, text = line.partition(b" ")
            yield moment, at, stream, line if timestamps else text

    streams = [stamped(at, one) for at, one in enumerate(ones)]
    for _, at, stream, line in heapq.merge(*streams, key=lambda entry: (entry[0], entry[1])):
        printer.line(ones[at].title, line, stream)


class Streams:
    """Follows containers, a thread each, until they end or :meth:`close`.

    ``on_exit`` is called with service, name and exit code; a container that starts again by its restart policy goes on.
    """

    def __init__(
        self, client: Any, printer: Printer, *, timestamps: bool, on_exit: Callable[[str, str, int], None] | None = None
    ) -> None:
        self._client, self._printer, self._timestamps, self._on_exit = client, printer, timestamps, on_exit
        self._threads: list[threading.Thread] = []
        self.closed = threading.Event()

    def follow(self, service: str, name: str, title: str, **params: Any) -> None:
        """Begin; ``params`` are those of ``/logs`` (``tail``, ``since``, ``until``)."""
        thread = threading.Thread(
            target=self._run, args=(service, name, title, params), name=f"logs of {name}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def alive(self) -> bool:
        return any(thread.is_alive() for thread in list(self._threads))

    def wait(self, seconds: float | None = None) -> None:
        """Until all have ended, at most so long; an interrupt gets through."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while self.alive() and (deadline is None or time.monotonic() < deadline):
            for thread in list(self._threads):
                if thread.is_alive():
                    thread.join(0.1)
                    break

    def _run(self, service: str, name: str, title: str, params: dict[str, Any]) -> None:
        asked = {"follow": 1, "timestamps": int(self._timestamps), **params}
        try:
            while True:
                began = self._state(name)["StartedAt"]
                for stream, line in _log(self._client, name, asked):
                    self._printer.line(title, line, stream)
                state = self._settled(name, began)
                if state["Status"] not in ("running", "restarting", "paused"):
                    break
                # By its restart policy it runs again: on from where it had ended.
                asked = {**asked, "since": unix(state["FinishedAt"]), "tail": "all"}
        except (docker.errors.APIError, requests.RequestException):
            return  # removed, or the engine has gone: nothing more to read
        if self._on_exit is not None:
            self._printer.status(title, f"exited with code {state['ExitCode']}")
            self._on_exit(service, name, int(state["ExitCode"]))

    def _settled(self, name: str, began: str) -> dict[str, Any]:
        """The log's end comes a moment before the record of the exit, and a restart takes its time."""
        while True:
            state = self._state(name)
            if state["Status"] not in ("running", "restarting") or self.closed.is_set():
                return state
            if state["Status"] == "running" and state["StartedAt"] != began:
                return state
            self.closed.wait(0.02)

    def _state(self, name: str) -> dict[str, Any]:
        state: dict[str, Any] = self._client.api.inspect_container(name)["State"]
        return state


def unix(moment: str) -> str:
    """A time of the engine's (RFC 3339) as its ``since`` wants it: seconds and nanoseconds since 1970."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    return f"{int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())}.{fraction or 0}"
