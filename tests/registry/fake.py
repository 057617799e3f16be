"""A registry that does what a test says: cuts, lies, redirects, asks for tokens. On loopback, in threads."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Callable
from typing import Any

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(**files: bytes) -> bytes:
    """A plain tar of files in the root."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_600_000_000
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


class Made:
    """An image's documents, to be changed before they are put into a registry."""

    def __init__(self, *tars: bytes, architecture: str = "amd64", variant: str = "", level: int = 6) -> None:
        self.packed = [gzip.compress(tar, level, mtime=0) for tar in tars]
        self.config: dict[str, Any] = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["sh"]},
            "created": "2026-01-02T03:04:05Z",
            "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in tars]},
            "history": [{"created_by": f"step {number}"} for number, _ in enumerate(tars)],
        }
        if variant:
            self.config["variant"] = variant
        self.layers: list[dict[str, Any]] = [
            {"mediaType": LAYER, "size": len(blob), "digest": digest_of(blob)} for blob in self.packed
        ]
        self.more: dict[str, Any] = {}

    @property
    def config_bytes(self) -> bytes:
        # Indented, so that only an engine that keeps the bytes as they came has the right id.
        return json.dumps(self.config, indent=2).encode()

    @property
    def id(self) -> str:
        return digest_of(self.config_bytes)

    @property
    def manifest(self) -> bytes:
        config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(self.config_bytes)}
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER,
            "config": {**config, "digest": self.id},
            "layers": self.layers,
            **self.more,
        }
        return json.dumps(document, indent=3).encode()


class Seen:
    """One request as it came."""

    def __init__(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.method, self.path = handler.command, handler.path
        self.headers = dict(handler.headers.items())


class FakeRegistry:
    """``blobs`` by digest, ``manifests`` by (name, tag or digest) as (body, media type).

    ``cuts`` are byte counts, after each of which one blob's answer ends; ``ranges`` says whether ranges are known.
    ``before`` may answer a request itself: it gets the handler, and says whether it did. ``sent`` counts blobs' bytes.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.seen: list[Seen] = []
        self.cuts: list[int] = []
        self.ranges = True
        self.before: Callable[[Any], bool] = lambda handler: False
        self.sent = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.seen.append(Seen(self))
                if not outer.before(self):
                    outer._answer(self)

            do_HEAD = do_POST = do_PUT = do_GET

            def log_message(self, *words: object) -> None: ...

            def give(self, status: int, body: bytes = b"", **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def put(self, made: Made, name: str = "app", tag: str = "1") -> str:
        """Serve an image; gives its manifest's digest."""
        self.blobs[made.id] = made.config_bytes
        for blob in made.packed:
            self.blobs[digest_of(blob)] = blob
        return self.put_manifest(made.manifest, DOCKER, name, tag)

    def put_manifest(self, body: bytes, kind: str, name: str = "app", tag: str = "1") -> str:
        self.manifests[name, tag] = self.manifests[name, digest_of(body)] = (body, kind)
        return digest_of(body)

    def requests(self, words: str) -> list[Seen]:
        """Those whose path holds ``words``."""
        return [seen for seen in self.seen if words in seen.path]

    def _answer(self, handler: Any) -> None:
        path = handler.path.partition("?")[0]
        if path == "/v2/":
            return handler.give(200, b"{}")
        name, _, rest = path.removeprefix("/v2/").rpartition("/manifests/")
        if name and (name, rest) in self.manifests:
            body, kind = self.manifests[name, rest]
            return handler.give(200, body, Content_Type=kind)
        if path.endswith("/tags/list"):
            tags = [tag for _, tag in self.manifests if not tag.startswith("sha256:")]
            return handler.give(200, json.dumps({"name": "app", "tags": tags}).encode())
        blob = self.blobs.get(path.rpartition("/blobs/")[2]) if "/blobs/" in path else None
        if blob is not None:
            return self._give_blob(handler, blob)
        error = {"errors": [{"code": "MANIFEST_UNKNOWN" if name else "BLOB_UNKNOWN", "message": "manifest unknown"}]}
        return handler.give(404, json.dumps(error).encode())

    def _give_blob(self, handler: Any, blob: bytes) -> None:
        start = 0
        if self.ranges and "Range" in handler.headers:
            start = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(blob) - 1}/{len(blob)}")
        else:
            handler.send_response(200)
        body = blob[start:]
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if self.cuts and len(body) > self.cuts[0]:
            body = body[: self.cuts.pop(0)]
            handler.close_connection = True
        self.sent += len(body)
        handler.wfile.write(body)
