"""A registry on this host: Docker's own program, which Debian packs as docker-registry, on a free port of loopback."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import socket
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

from containerlab.errors import HostLacks

__all__ = ["LocalRegistry", "local_registry"]

_START_S = 15.0
_STATUS_AND_BYTES = re.compile(r'" (2\d\d) (\d+) "')
# It ends with whoever holds the other end of its standard input: a kernel that is killed leaves no registry behind.
_UNTIL_STDIN_ENDS = '"$0" serve "$1" & read -r _; kill $!; wait $!'


def local_registry() -> LocalRegistry:
    """A registry that is empty, and answers. Raises HostLacks where the program isn't installed."""
    program = shutil.which("docker-registry")
    if program is None:
        raise HostLacks("There is no registry on this host.", hint="apt install docker-registry")
    return LocalRegistry(program, Path(tempfile.mkdtemp(prefix="containerlab-registry-")))


class LocalRegistry:
    """``.name`` is ``127.0.0.1:PORT``, what an image's name begins with; ``.end()`` ends it, and all that it holds."""

    def __init__(self, program: str, folder: Path) -> None:
        self._folder = folder
        port = _free_port()
        self.name = f"127.0.0.1:{port}"
        lines = ["version: 0.1", "log: {level: error, accesslog: {disabled: false}}"]
        lines += [f"http: {{addr: '{self.name}'}}", f"storage: {{filesystem: {{rootdirectory: '{folder}/data'}}}}"]
        (folder / "config.yml").write_text("\n".join(lines) + "\n")
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _UNTIL_STDIN_ENDS, program, str(folder / "config.yml")],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.end = weakref.finalize(self, _end, self._process, folder)
        """Ends it, and removes all that it holds; once is enough, twice does no harm."""
        try:
            self._wait(port)
        except BaseException:
            self.end()
            raise

    def sent(self) -> int:
        """The bytes of all answers so far, by the registry's own access log."""
        log = self._log.read_text(errors="replace")
        return sum(int(match[2]) for match in _STATUS_AND_BYTES.finditer(log))

    def __enter__(self) -> LocalRegistry:
        return self

    def __exit__(self, *about: object) -> None:
        self.end()

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + _START_S
        while not _answers(port):
            if time.monotonic() > deadline:
                last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
                raise HostLacks("The registry doesn't answer: " + "".join(last))
            time.sleep(0.02)


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.wait(_START_S)
    shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        except OSError:
            return False
    return True
