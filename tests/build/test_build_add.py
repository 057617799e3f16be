"""ADD: archives that are unpacked, addresses that are downloaded, and what is refused or bounded."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import stat
import tarfile
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from containerlab.errors import BuildFailed, DockerfileError
from tests.build.conftest import Site

pytestmark = pytest.mark.root

CONTENT = b"from the web\n"
MOMENT = "Tue, 14 Nov 2023 22:13:20 GMT"


class Handler(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path.startswith("/to-"):
            self.send_response(302)
            places = {"/to-file": "/f.txt", "/to-disk": "file:///etc/passwd"}
            self.send_header("Location", places.get(self.path, self.path))
            self.end_headers()
            return
        body = _tar() if self.path.endswith(".tgz") else CONTENT
        self.send_response(200)
        self.send_header("Last-Modified", MOMENT)
        self.send_header("Content-Length", str(len(body) + (7 if self.path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("inside")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    return out.getvalue()


@pytest.fixture
def server() -> Iterator[str]:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.asked = []
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_port}"
    finally:
        served.shutdown()
        thread.join()
        served.server_close()


def test_an_address_is_downloaded_with_its_name_mode_and_time(site: Site, server: str) -> None:
    image = site.build(
        f"FROM base\nARG at={server}\nADD $at/f.txt?q=1 /d/\nADD $at/f.txt /e\nADD $at/to-file /r\n"
    ).ok()
    status = site.stat(image, "/d/f.txt")
    assert (site.read(image, "/d/f.txt"), site.read(image, "/r")) == (CONTENT.decode(),) * 2
    assert (stat.S_IMODE(status.st_mode), status.st_mtime, status.st_uid) == (0o600, 1_700_000_000, 0)
    assert site.read(image, "/e") == CONTENT.decode()
    assert list((site.store / "builds").iterdir()) == []


def test_a_downloaded_archive_is_unpacked_only_when_asked(site: Site, server: str) -> None:
    image = site.build(f"FROM base\nADD {server}/a.tgz /a/\nADD --unpack=true {server}/a.tgz /b/\n").ok()
    assert {"a/a.tgz", "b/inside"} <= set(site.tree(image, "/"))


def test_the_content_decides_about_the_cache_and_a_checksum_spares_the_download(site: Site, server: str) -> None:
    plain = f"FROM base\nADD {server}/f.txt /f\n"
    assert [site.build(plain).cached for _ in range(2)] == [[False, False], [False, True]]
    digest = hashlib.sha256(CONTENT).hexdigest()
    checked = f"FROM base\nADD --checksum=sha256:{digest} {server}/g.txt /f\n"
    site.build(checked).ok()
    asked = len(Handler.asked)
    assert site.build(checked).cached == [False, True]
    assert len(Handler.asked) == asked


@pytest.mark.parametrize(
    ("add", "words"),
    [
        ("{}/missing /x", "status 404"),
        ("{}/to-disk /x", "not allowed"),
        ("{}/to-itself /x", "failed to GET"),
        ("{}/short /x", "ended after"),
        ("{}/ /x/", "cannot determine filename"),
        ("--checksum=sha256:" + "0" * 64 + " {}/f.txt /x", "digest mismatch"),
        ("http://127.0.0.1:1/x /x", "failed to GET"),
    ],
)
def test_an_address_that_cannot_be_had_is_told_at_its_line(site: Site, server: str, add: str, words: str) -> None:
    error = site.build(f"FROM base\n\nADD {add.format(server)}\n").error
    assert isinstance(error, DockerfileError)
    assert (error.line, words in str(error)) == (3, True)


def test_a_bomb_is_stopped_and_leaves_nothing(small_site: Site) -> None:
    out = io.BytesIO()
    with gzip.open(out, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        entry = tarfile.TarInfo("zeros")
        entry.size = 1 << 30
        archive.addfile(entry, open("/dev/zero", "rb"))
    small_site.write(bomb_dot_tgz=out.getvalue())
    built = small_site.build("FROM base\nADD bomb.tgz /x/\n")
    assert built.image is None
    assert "space" in str(built.error)
    assert list((small_site.store / "builds").iterdir()) == []
    small_site.build("FROM base\nRUN echo > /f\n").ok()


@pytest.mark.parametrize("cut", [100, 600])
def test_a_damaged_archive_is_told_at_its_line(site: Site, cut: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("a", "../escape", "b"):
            entry = tarfile.TarInfo(name)
            entry.size = 600
            archive.addfile(entry, io.BytesIO(bytes(600)))
    site.write(bad_dot_tar=out.getvalue()[: 512 + cut] if cut == 100 else out.getvalue())
    error = site.build("FROM base\nADD bad.tar /x/\n").error
    assert isinstance(error, BuildFailed)
    assert error.line == 2
    assert not (site.folder / "escape").exists()
