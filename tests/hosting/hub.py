"""A JupyterHub of a test's own, on loopback, and students who run a lesson in it through their servers' API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.hosting.students import SOURCE, Student

DEPLOYED = SOURCE / "deploy/jupyterhub/jupyterhub_config.py"
_CONFIG = """
load_subconfig({deployed!r})
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {token!r}
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "class", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [{{
    "name": "class", "services": ["class"],
    "scopes": ["admin:users", "admin:servers", "access:servers", "read:hub"],
}}]
"""
_SOCKETS = """
folders = {folders!r}
c.Spawner.environment |= {{"XDG_RUNTIME_DIR": lambda spawner: folders[spawner.user.name]}}
"""
_OWN_PROXY = """
import sys
sys.path.insert(0, {source!r})
from tests.hosting.routes import Routes
c.JupyterHub.proxy_class = Routes
c.Routes.file = {routes!r}
"""
_START_SECONDS = 120
_CELL_SECONDS = 600


class Hub:
    """A running hub; ``proxy`` is configurable-http-proxy where it is installed, else each server is asked itself."""

    def __init__(self, folder: Path, found: list[Student]) -> None:
        self.token = secrets.token_hex(16)
        self.folder = folder
        self.port, self.hub_port = _free_port(), _free_port()
        self.proxied = shutil.which("configurable-http-proxy") is not None
        self._routes = folder / "routes.json"
        config = _CONFIG.format(deployed=str(DEPLOYED), port=self.port, hub_port=self.hub_port, token=self.token)
        config += _SOCKETS.format(folders={each.name: str(each.run_folder) for each in found})
        if not self.proxied:
            config += _OWN_PROXY.format(source=str(SOURCE), routes=str(self._routes))
        (folder / "config.py").write_text(config)

    def server(self, name: str) -> str:
        """The URL below which a student's server answers."""
        if self.proxied:
            return f"http://127.0.0.1:{self.port}/user/{name}"
        return str(json.loads(self._routes.read_text())[f"/user/{name}/"]).rstrip("/") + f"/user/{name}"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.hub_port}/hub/api"


@contextlib.contextmanager
def hub(folder: Path, found: list[Student], **environment: str) -> Iterator[Hub]:
    """The deployed configuration with a password for all, until the block ends."""
    made = Hub(folder, found)
    log = open(folder / "hub.log", "wb")
    command = [sys.executable, "-m", "jupyterhub", "-f", str(folder / "config.py")]
    here = {**os.environ, **environment, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(command, cwd=folder, env=here, stdout=log, stderr=log, start_new_session=True)
    try:
        _until_it_listens(made, process)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _until_it_listens(made: Hub, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", made.hub_port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the hub didn't start: {(made.folder / 'hub.log').read_text()[-3000:]}")


@dataclass
class Lesson:
    """How it went: the errors that no cell expects, the cells that ran, what was printed, and seconds."""

    student: str
    cells: int = 0
    errors: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    server_seconds: float = 0.0
    lesson_seconds: float = 0.0


async def class_runs(hub: Hub, found: list[Student], notebook: Path) -> list[Lesson]:
    """All students at once: a server each, a kernel, every cell of the lesson."""
    timeout = aiohttp.ClientTimeout(total=None)
    headers = {"Authorization": f"token {hub.token}"}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers, max_line_size=1 << 16) as session:
        return list(await asyncio.gather(*(_student(hub, session, each, notebook) for each in found)))


async def _student(hub: Hub, session: aiohttp.ClientSession, student: Student, notebook: Path) -> Lesson:
    lesson = Lesson(student.name)
    began = time.monotonic()
    await _call(session, "POST", f"{hub.api}/users/{student.name}")
    await _call(session, "POST", f"{hub.api}/users/{student.name}/server")
    while not (await _call(session, "GET", f"{hub.api}/users/{student.name}"))["servers"].get("", {}).get("ready"):
        await asyncio.sleep(0.2)
    lesson.server_seconds = time.monotonic() - began
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    async with _kernel(hub.server(student.name), session) as kernel:
        for cell in cells:
            answer = await _run(kernel, "".join(cell["source"]), lesson)
            lesson.cells += 1
            if answer["status"] == "error" and "raises-exception" not in cell["metadata"].get("tags", []):
                lesson.errors.append(f"{''.join(cell['source'])[:200]}: {answer['ename']}: {answer['evalue']}")
    lesson.lesson_seconds = time.monotonic() - began - lesson.server_seconds
    await _call(session, "DELETE", f"{hub.api}/users/{student.name}/server")
    return lesson


async def _call(session: aiohttp.ClientSession, method: str, url: str, **words: Any) -> Any:
    async with session.request(method, url, **words) as answer:
        text = await answer.text()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {url}: {answer.status} {text[:500]}")
        return json.loads(text) if text else None


@contextlib.asynccontextmanager
async def _kernel(server: str, session: aiohttp.ClientSession) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    kernel = await _call(session, "POST", f"{server}/api/kernels", json={"name": "python3"})
    url = f"{server.replace('http', 'ws', 1)}/api/kernels/{kernel['id']}/channels"
    try:
        async with session.ws_connect(url, max_msg_size=0) as channel:
            yield channel
    finally:
        await _call(session, "DELETE", f"{server}/api/kernels/{kernel['id']}")


async def _run(channel: aiohttp.ClientWebSocketResponse, source: str, lesson: Lesson) -> dict[str, Any]:
    """One cell, to its reply and the kernel's idleness; gives the reply's content."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "s",
        "version": "5.3",
    }
    content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": False}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    await channel.send_json(request)
    reply: dict[str, Any] | None = None
    idle = False
    while reply is None or not idle:
        message = json.loads((await channel.receive(_CELL_SECONDS)).data)
        if message["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if message["msg_type"] == "execute_reply":
            reply = message["content"]
        elif message["msg_type"] == "status":
            idle = message["content"]["execution_state"] == "idle"
        elif message["msg_type"] == "stream":
            lesson.printed.append(message["content"]["text"])
    return reply


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
