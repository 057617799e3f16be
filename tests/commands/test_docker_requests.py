"""The requests of our front ends, held to those that Docker's own command line sends for the same words."""

from __future__ import annotations

import contextlib
import http.server
import json
import shlex
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.errors import ContainerlabError
from tests.clients.conftest import CLIENTS

NEWEST = CLIENTS[0] if CLIENTS else ""
pytestmark = pytest.mark.skipif(not NEWEST, reason="needs the docker command")
OPTIONS = (
    "--health-cmd 'test -e /ok' --health-interval 1m30s --health-retries 4 "
    "--log-driver json-file --log-opt max-size=1m "
    "--dns 10.0.0.1 --dns-search lab --dns-option ndots:2 --domainname lab --oom-score-adj 5 --cpu-shares 99 "
    "--cpu-period 5000 --cpu-quota 2500 --memory 64m --memory-reservation 8m --memory-swappiness 7 --expose 90-91/udp "
    "-p 127.0.0.1:8080:80 -p 5000-5001:6000-6001/udp -p :7000 -p 1-2:5 -v /only --tmpfs /t:size=1m "
    "--mount type=tmpfs,dst=/m,tmpfs-size=1m,tmpfs-mode=1770 --device-cgroup-rule 'c 1:3 r' --cgroupns private "
    "--userns host --gpus all --device-read-bps /dev/null:1mb --blkio-weight-device /dev/null:300 --storage-opt a=b "
    "--link one:two --volumes-from three --cgroup-parent /lab --stop-signal INT -a stderr -i "
    "--mac-address 02:00:00:00:00:01"
)


OTHERS = (
    "--network name=lab,alias=web,ip=10.0.0.2 --network other --no-healthcheck -P --privileged --init --rm",
    "--network lab --ip 10.0.0.2 --ip6 fe80::2 --network-alias web --link-local-ip 169.254.1.1 --read-only -t",
    "--network lab --label-file /dev/null -l a=b -l c -e A=1 --entrypoint sh -w /srv -u 1:2 --group-add 3 -h box",
    "--ulimit nofile=64:128 --pids-limit 20 --cpus 0.5 --cpuset-cpus 0 --cpuset-mems 0 --shm-size 1m",
    "--mount type=bind,src=/,dst=/a,readonly,bind-propagation=rslave,bind-recursive=disabled --mount dst=/b",
    "--mount type=volume,src=data,dst=/a,volume-nocopy,volume-label=a=b,volume-driver=local,volume-opt=o=size -v dd:/e",
    "--cap-add CAP_NET_ADMIN --cap-drop ALL --security-opt no-new-privileges --sysctl net.core.somaxconn=9 --pid host",
    "--ipc private --uts host --restart on-failure:3 --stop-timeout 4 --memory-swap -1 --add-host db:10.0.0.1",
    "--device /dev/null:/dev/zero:r --blkio-weight 300 --device-write-bps /dev/null:9 --device-read-iops /dev/null:8",
    "--log-driver none -a STDIN -a stdout --rm=false --annotation a=b --oom-kill-disable -m=64m",
    "-p target=80,published=8080,protocol=udp -p [::1]:1:2 --health-start-period 2s --health-start-interval 100ms",
    "--cpu-rt-period 3 --cpu-rt-runtime 3 --isolation default --runtime runc --volume-driver nfs",
)


@pytest.mark.parametrize("options", [OPTIONS, *OTHERS])
def test_a_create_request_is_the_one_that_docker_sends(options: str, tmp_path: Path) -> None:
    """Both requests are caught on a socket; ours may leave out what has Docker's default."""
    caught: list[dict[str, Any]] = []
    with catching(caught, tmp_path / "socket") as address:
        line = f"create {options} lab/busybox true"
        asked = subprocess.run(
            [NEWEST, *shlex.split(line)], capture_output=True, text=True, check=False, timeout=30,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DOCKER_HOST": address, "DOCKER_CONFIG": str(tmp_path)},
        )  # fmt: skip
        assert caught, asked
        theirs = caught.pop()
        client = docker.DockerClient(base_url=address, version="1.49")
        with pytest.raises(ContainerlabError, match="caught"):
            invoke(shlex.split(line), Context(connect=lambda: client))
        ours = caught.pop()
    assert_part(ours, theirs, "")


def assert_part(ours: Any, theirs: Any, path: str) -> None:
    """All that is in ``ours`` is in ``theirs``; what is in ``theirs`` alone is empty there."""
    if not _filled(ours) and not _filled(theirs):
        return
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_part(one, other, f"{path}[{at}]")
        return
    if not isinstance(ours, dict):
        assert ours == theirs, path
        return
    for key in ours.keys() | theirs.keys():
        if key in ours:
            assert key in theirs or not ours[key], f"{path}.{key} is ours alone"
            assert_part(ours[key], theirs.get(key, ours[key]), f"{path}.{key}")
        elif (path, key) not in _DOCKERS_DEFAULTS:
            assert not _filled(theirs[key]), f"{path}.{key} is Docker's alone: {theirs[key]}"


# Docker's client spells these defaults out.
_DOCKERS_DEFAULTS = {
    ("", "Image"), ("", "NetworkingConfig"), (".NetworkingConfig.EndpointsConfig", "default"),
    *((".HostConfig", name) for name in ("ConsoleSize", "MemorySwappiness", "NetworkMode", "RestartPolicy")),
}  # fmt: skip


def _filled(value: Any) -> bool:
    return any(map(_filled, value.values())) if isinstance(value, dict) else bool(value)


@contextlib.contextmanager
def catching(caught: list[dict[str, Any]], path: Path) -> Iterator[str]:
    """An engine that keeps the bodies of create requests and refuses them."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, {"ApiVersion": "1.49", "MinAPIVersion": "1.24", "Os": "linux"})

        do_HEAD = do_GET

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if "/containers/create" in self.path:
                caught.append(json.loads(body))
            self._answer(400, {"message": "caught"})

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            text = json.dumps(document).encode()
            self.send_response(status)
            for name, value in (("Api-Version", "1.49"), ("OSType", "linux"), ("Content-Type", "application/json")):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def address_string(self) -> str:
            return ""

        def log_message(self, *words: object) -> None: ...

    server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
