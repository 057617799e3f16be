"""``containerlab serve``: one store's engine, from the lock to the last request.

The order matters: folders and lock first, so that of two engines one leaves before it touches anything;
then the supervisor, whose namespaces a process can only enter while it has a single thread; then the event
loop, the engine and at last the socket. What only the later steps need is imported by them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import math
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from containerlab import paths
from containerlab.api import folders, tls
from containerlab.api.ready import Starter, hint, reason
from containerlab.api.serverside import enter_without_client

if TYPE_CHECKING:
    from aiohttp import web

    from containerlab.engine.engine import Engine

__all__ = ["ALREADY_RUNNING", "main"]

ALREADY_RUNNING = 3
"""Exit code when another engine has the store: nothing is wrong, it only isn't needed."""

SUPERVISOR_LOST = 4
"""How an engine ends whose supervisor was killed; ``main`` then begins anew, and the new one cleans up."""

_LOG_LIMIT = 1024 * 1024
_SHUTDOWN_SECONDS = 5.0
_LATE_CLIENT_SECONDS = 0.05
_HEADER_BYTES = 64 * 1024  # X-Registry-Config holds the accounts, and so the tokens, of many registries

_log = logging.getLogger(__name__)


def main(argv: list[str]) -> int:
    """Serve until SIGTERM, SIGINT or ``--idle-exit``; containers run on under the supervisor, which else ends too.

    Exit code 0, 1 when the engine couldn't start, ALREADY_RUNNING when another one has the store.
    """
    options = _parse(argv)
    starter = Starter()
    try:
        options.tls = tls.tls_context(options)
        run = paths.run_folder(options.store)
        folders.make_private(options.store)
        for folder in (run.parent, run):
            folders.make_private(folder, "XDG_RUNTIME_DIR")
        if options.detach:
            _detach(run / "engine.log")
        _configure_logging()
        _raise_descriptor_limit()
        lock = folders.lock(options.store)
        if lock is None:
            starter.running()
            if options.socket != paths.api_socket(options.store):  # who asked for this socket won't find it
                print(
                    f"containerlab serve: another engine has the store {options.store}.\n"
                    f"Unless it was given another socket it answers at unix://{paths.api_socket(options.store)}. "
                    "--store FOLDER begins a store of its own.",
                    file=sys.stderr,
                )
            return ALREADY_RUNNING
        ended = _serve(options, run, starter)
        if ended == SUPERVISOR_LOST:
            _begin_anew(options)
        return ended
    except Exception as error:
        _log.info("the engine ends with an error", exc_info=True)
        print("\n".join(filter(None, [f"containerlab serve: {reason(error)}", hint(error)])), file=sys.stderr)
        starter.failed(error)
        return 1


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="containerlab serve", description="Serve one store's Docker Engine API.")
    parser.add_argument("--store", type=_absolute, help="folder of images, layers and containers")
    parser.add_argument("--socket", type=_absolute, help="unix socket to listen on (default: in the run folder)")
    parser.add_argument(
        "--idle-exit", type=_seconds, default=0.0, metavar="SECONDS", help="end after this long unused; 0: never"
    )
    parser.add_argument("--detach", action="store_true", help="leave the terminal; errors go to engine.log")
    parser.add_argument("--config", type=_absolute, metavar="FILE", help="settings (default: config.json in the store)")
    tls.add_options(parser)
    options = parser.parse_args(argv)
    options.words = [word for word in argv if word != "--detach"]
    options.store = options.store or paths.store_folder()
    options.socket = options.socket or paths.api_socket(options.store)
    return options


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} isn't a number of seconds, 0 or more")
    return seconds


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()


def _detach(log: Path) -> None:
    """Second fork of the two (the starter made the first, with setsid): no terminal can ever reach the engine."""
    if os.fork():
        os._exit(0)
    os.chdir("/")
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    null = os.open(os.devnull, os.O_RDWR)
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    for source, target in ((null, 0), (null, 1), (errors, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(errors)


def _begin_anew(options: argparse.Namespace) -> None:
    """Execute the same program again: only a process with one thread can make the next supervisor's namespaces."""
    _log.warning("the supervisor is gone; the engine starts again")
    os.environ.pop("CONTAINERLAB_READY_FD", None)
    os.execv(sys.executable, [sys.executable, *paths.INTERPRETER, "-m", "containerlab", "serve", *options.words])


def _configure_logging() -> None:
    level = os.environ.get("CONTAINERLAB_LOG", "WARNING").upper()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=level)


def _raise_descriptor_limit() -> None:
    """As many descriptors as the host allows: a login shell's 1,024 are fewer than a class's open streams."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _serve(options: argparse.Namespace, run: Path, starter: Starter) -> int:
    from containerlab.runtime.launch import ensure_supervisor

    ensure_supervisor(run, options.store)
    return asyncio.run(_run_engine(options, run, starter))


async def _run_engine(options: argparse.Namespace, run: Path, starter: Starter) -> int:
    from containerlab.engine.configuration import read_configuration
    from containerlab.engine.engine import Engine, Settings

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        file = options.config or options.store / "config.json"
        configured = read_configuration(file, needed=options.config is not None)
        idle, shared = options.idle_exit or None, paths.shared_store()
        settings = Settings(store=options.store, run=run, idle_exit=idle, shared_store=shared, **configured)
        engine = await Engine.open(settings)
    except BaseException:
        with contextlib.suppress(OSError):
            await _end_supervisor(run)
        raise
    try:
        await _answer_requests(engine, options, starter, stop)
    finally:
        await engine.close()
    if engine.supervisor_lost.is_set():
        return SUPERVISOR_LOST
    # One that was killed meanwhile has nothing left to end.
    with contextlib.suppress(OSError):
        await _end_supervisor(run)
    return 0


async def _answer_requests(engine: Engine, options: argparse.Namespace, starter: Starter, stop: asyncio.Event) -> None:
    """Listen until ``stop`` is set or the engine has been idle long enough."""
    enter_without_client()
    from aiohttp import web

    from containerlab.api.app import make_app
    from containerlab.api.connection import connection_factory

    app, path = make_app(engine), options.socket
    runner = web.AppRunner(
        app, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS, max_field_size=_HEADER_BYTES
    )
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("aiohttp's runner has no server after its setup")
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(connection_factory(runner.server), sock=folders.listen(path))
    beside = await tls.serve_tls(options.tls, path) if options.tls else None
    # What start-up made lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    # A request makes some thousand objects and no cycle of them: the default of 700 would look at each several times.
    gc.set_threshold(20_000, 10, 10)
    starter.ready()
    # Idleness begins now: a start that took long must not end at once.
    engine.touch()
    try:
        await _until_unused(engine, app, stop)
    finally:
        path.unlink(missing_ok=True)
        # Whoever connected before the name was gone is still answered.
        await asyncio.sleep(_LATE_CLIENT_SECONDS)
        server.close()
        if beside is not None:
            beside.close()
        await runner.cleanup()


async def _until_unused(engine: Engine, app: web.Application, stop: asyncio.Event) -> None:
    from containerlab.api.lifetime import ACTIVITY

    limit = engine.settings.idle_exit
    ends = [asyncio.ensure_future(event.wait()) for event in (stop, engine.supervisor_lost)]
    try:
        while True:
            since = engine.idle_since()
            unused = time.monotonic() - since if since is not None and app[ACTIVITY].idle else 0.0
            if limit is not None and unused >= limit:
                return
            left = None if limit is None else max(limit - unused, 0.05)
            done, _ = await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return
    finally:
        for end in ends:
            end.cancel()


async def _end_supervisor(run: Path) -> None:
    """An engine that nobody needs leaves no process behind, unless a container still lives.

    ``shutdown`` waits for the last record: those of containers that don't run are dropped, and made again on use.
    """
    from containerlab.runtime.client import SupervisorClient
    from containerlab.runtime.identity import open_process
    from containerlab.runtime.launch import supervisor_identity

    client = await SupervisorClient.connect(run)
    identity = supervisor_identity(run)
    try:
        known = (await client.call("list"))["containers"]
        if any(container["status"] == "running" for container in known):
            return
        for container in known:
            await client.call("forget", container=container["container"])
        pidfd = open_process(identity) if identity else None
        await client.call("shutdown")
        if pidfd is not None:
            await _ended(pidfd)
    finally:
        client.close()


async def _ended(pidfd: int) -> None:
    """Once that process has ended, so that the next engine doesn't meet it half gone; some seconds at most."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pidfd, ended.set)
    try:
        async with asyncio.timeout(_SHUTDOWN_SECONDS):
            await ended.wait()
    except TimeoutError:
        _log.warning("the supervisor doesn't end")
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
