"""Staying with a program until it ends: streams, interrupts, exit code. For ``run``, ``start -a`` and ``attach``."""

from __future__ import annotations

__all__ = ["LONG_AFTER", "Attachment", "Resizer", "Signalled", "check_input"]

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import docker.errors
import requests

from containerlab.commands.context import Context, Terminal
from containerlab.commands.output import Recorder
from containerlab.commands.result import Finished
from containerlab.commands.streams import Frames, Hijacked, Input, detach_bytes, hijack, post, pump
from containerlab.errors import EngineUnreachable, UsageError

LONG_AFTER = 10.0
_STOP_SECONDS = 3


def check_input(context: Context, verb: str, rest: str, *, interactive: bool, tty: bool, detach: bool = False) -> None:
    """What can't be joined to the program's input is said at once, and what to use. Raises UsageError."""
    if context.body is not None and (detach or tty):
        option = "-d" if detach else "-t"
        raise UsageError(
            f"{option} can't take the cell's text as its input.", hint=f"Leave out {option}, or the cell's text."
        )
    if not (interactive and tty) or detach:
        return
    if context.notebook:
        raise UsageError(
            f"A notebook cell has no terminal for {verb} -it.",
            hint=f"Put the commands in the cell: %%container {verb} {rest}\n"
            f"Or open a terminal in JupyterLab: containerlab {verb} -it {rest}",
        )
    if context.terminal is None:
        raise UsageError(
            f"{verb} -it needs a terminal, and standard input is none.", hint="Leave out -t to pipe input in."
        )


class Signalled(KeyboardInterrupt):
    """A signal other than SIGINT that a terminal's program was sent: it is meant for the container's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Resizer:
    """Keeps the program's terminal as large as the person's."""

    def __init__(self, terminal: Terminal, resize: Callable[..., object]) -> None:
        self._terminal, self._resize = terminal, resize
        self._size = (0, 0)

    def follow(self) -> None:
        """Tell the engine when the size has changed; a program that has ended meanwhile has no terminal to resize."""
        size = self._terminal.size()
        if size == self._size:
            return
        self._size = size
        try:
            self._resize(height=size[0], width=size[1])
        except docker.errors.APIError:
            pass


@dataclass
class Attachment:
    """One attached run of a container. Use :meth:`attach`, start the container, then :meth:`finish`."""

    context: Context
    container: str
    name: str
    what: str
    tty: bool = False
    interactive: bool = False
    stdin_once: bool = True
    remove: bool = False
    unnamed: bool = False
    streams: tuple[str, ...] = ("stdin", "stdout", "stderr")
    keys: str | None = None
    proxy: bool = True
    recorder: Recorder = field(init=False)
    _frames: Frames = field(init=False)
    _stream: Hijacked | None = None
    _wait: requests.Response | None = None
    _interrupts: int = 0
    _began: float = 0.0
    _told: bool = False
    _resizer: Resizer | None = None

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.context.output)
        self._frames = Frames(raw=self.tty)

    def attach(self, *, condition: str) -> None:
        """Before the start, so that nothing is missed: the stream, and the wait for the exit code."""
        client = self.context.client
        params: dict[str, Any] = {"stream": 1, **{name: int(name in self.streams) for name in ("stdout", "stderr")}}
        params["stdin"] = int(self._takes_input)
        if self.keys:
            detach_bytes(self.keys)
            params["detachKeys"] = self.keys
        self._stream = hijack(client, f"/containers/{self.container}/attach", params=params)
        self._wait = post(client, f"/containers/{self.container}/wait", params={"condition": condition})

    def finish(self) -> Finished:
        """Pump until the program ends. In a terminal an interrupt is passed on, as Docker does; else it is raised."""
        self._began = time.monotonic()
        half_close = self.stdin_once or self.context.body is None
        source = None
        if self._takes_input:
            source = Input(self.context.body, self.context.stdin_fd, half_close=half_close, keys=self.keys)
        while True:
            try:
                self._pump(source)
                if not self._takes_output:
                    return self._finished(0, detached=True)
                if source is not None and source.detached and self.tty:
                    return self._finished(0, detached=True)
                return self._finished(self._exit_code())
            except Signalled as received:
                if not self.proxy:
                    raise
                self._signal(received.name)
            except KeyboardInterrupt:
                if self.context.notebook or not self.proxy:
                    raise
                self._pass_on()

    @property
    def _takes_input(self) -> bool:
        return self.interactive and "stdin" in self.streams

    @property
    def _takes_output(self) -> bool:
        return "stdout" in self.streams or "stderr" in self.streams

    def abandon(self) -> None:
        """After an interrupt: stop the container and wait for its end; a second interrupt kills it.

        Where signals aren't passed on (``--sig-proxy=false``) in a terminal, it goes on without us.
        """
        if not self.proxy and not self.context.notebook:
            return
        try:
            self._stop()
        except KeyboardInterrupt:
            self._signal("SIGKILL")
            self._stop()

    def close(self) -> None:
        """Leave both connections."""
        if self._stream is not None:
            self._stream.close()
        if self._wait is not None:
            self._wait.close()

    def _pump(self, source: Input | None) -> None:
        if self._stream is None:
            return
        if self.tty and self.context.terminal is not None:
            self._resizer = Resizer(self.context.terminal, partial(self.context.client.api.resize, self.container))
        terminal = self.context.terminal if self.tty else None
        with terminal or nullcontext():
            self._on_idle()
            pump(
                self._stream, source, self.recorder.write, self._frames,
                on_idle=self._on_idle, until_sent=not self._takes_output,
            )  # fmt: skip

    def _on_idle(self) -> None:
        if self._resizer is not None:
            self._resizer.follow()
        if self.context.notebook and not self._told and time.monotonic() - self._began > LONG_AFTER:
            self._told = True
            self.context.output.notice(
                "Still running. To stop it, interrupt the kernel (■, or i i); to go on without waiting, use -d."
            )

    def _exit_code(self) -> int:
        """From the wait that was begun before the start; from a new one when the engine has died meanwhile."""
        if self._wait is None:
            return 0
        try:
            answer: dict[str, Any] = self._wait.json()
        except (requests.RequestException, ValueError):
            answer = self._wait_again()
        return int(answer["StatusCode"])

    def _wait_again(self) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self.context.client.api.wait(self.container)
        except docker.errors.NotFound as error:
            raise EngineUnreachable(
                f"The engine ended while {self.what} ran, and the exit code went with the container.",
                hint="Without --rm the container stays, and `wait` gives its exit code.",
            ) from error
        return answer

    def _finished(self, code: int, *, detached: bool = False) -> Finished:
        return Finished(
            what=self.what,
            stdout=self.recorder.text(1),
            stderr=self.recorder.text(2),
            seconds=time.monotonic() - self._began,
            exit_code=code,
            name=self.name,
            id=self.container,
            truncated=self.recorder.truncated,
            detached=detached,
        )

    def _pass_on(self) -> None:
        """The first interrupt is the program's own to deal with, the second asks it to end, the third kills."""
        self._interrupts += 1
        self._signal(("SIGINT", "SIGTERM", "SIGKILL")[min(self._interrupts, 3) - 1])

    def _stop(self) -> None:
        """Stop and wait until it has ended; remove what nobody could name any more."""
        api = self.context.client.api
        try:
            api.stop(self.container, timeout=_STOP_SECONDS)
            if self.remove or self.unnamed:
                self._remove()
            else:
                api.wait(self.container)
        except docker.errors.NotFound:
            pass  # --rm was quicker than we are

    def _remove(self) -> None:
        """Also what was never started, which ``--rm`` alone would leave; where ``--rm`` is at work, wait for it."""
        api = self.context.client.api
        try:
            api.remove_container(self.container, force=True)
        except docker.errors.APIError as error:
            if error.response is None or error.response.status_code != 409:
                raise
            api.wait(self.container, condition="removed")

    def _signal(self, name: str) -> None:
        try:
            self.context.client.api.kill(self.container, signal=name)
        except docker.errors.APIError as error:
            if error.response is None or error.response.status_code not in (404, 409):
                raise
