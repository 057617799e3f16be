"""Which hosts are spoken to, how, and with which account."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerlab.engine.configuration import read_configuration
from containerlab.errors import InvalidParameter, RegistryError
from containerlab.images.registry import Credentials, Hosts, Platform
from containerlab.images.registry import hosts as hosts_module
from containerlab.images.registry.hosts import check_insecure, check_mirror, is_loopback
from containerlab.images.registry.login import registry_of
from containerlab.images.registry.transport import Transport, _proxy
from tests.registry.conftest import Site


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("localhost", True),
        ("a.localhost:1", True),
        ("localhost.example:5000", False),
        ("127.0.0.1.example", False),
        ("10.0.0.1", False),
        ("registry.example", False),
    ],
)
def test_only_this_host_is_insecure_unasked(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    assert Hosts().is_insecure(host) is expected
    assert ("http" in Hosts().push_to(host).schemes) is expected


def test_insecure_registries_are_those_of_the_settings() -> None:
    hosts = Hosts(insecure=("registry.example:5000", "10.1.0.0/16"))
    assert hosts.push_to("registry.example:5000").schemes == ("https", "http")
    assert hosts.push_to("registry.example").schemes == ("https",)
    assert hosts.is_insecure("10.1.2.3:5000")
    assert not hosts.is_insecure("10.2.2.3:5000")
    assert hosts.push_to("registry.example").verify


def test_docker_io_is_served_by_its_mirrors_then_by_itself() -> None:
    hosts = Hosts(mirrors=("https://mirror.example", "http://127.0.0.1:5000"))
    found = hosts.pull_from("docker.io")
    assert [(one.host, one.mirror) for one in found] == [
        ("mirror.example", True),
        ("127.0.0.1:5000", True),
        ("registry-1.docker.io", False),
    ]
    assert [one.host for one in hosts.pull_from("ghcr.io")] == ["ghcr.io"]
    assert hosts.push_to("docker.io").host == "registry-1.docker.io"


@pytest.mark.parametrize(
    "text", ["mirror.example", "ftp://a", "https://", "https://a/b", "https://u:p@a", "https://a?x"]
)
def test_a_mirror_is_an_address_without_path(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid mirror"):
        check_mirror(text)


@pytest.mark.parametrize("text", ["", "10.0.0.0/99", "a/b", "-x", "a b"])
def test_an_insecure_registry_is_a_host_or_a_network(text: str) -> None:
    with pytest.raises(InvalidParameter, match="insecure registry"):
        check_insecure(text)


def test_the_configuration_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    assert read_configuration(path, needed=False) == {}
    with pytest.raises(InvalidParameter, match="doesn't exist"):
        read_configuration(path, needed=True)
    path.write_text(
        '{"registry-mirrors": ["https://m.example/"], "insecure-registries": ["r.example:1", "10.0.0.0/8"]}'
    )
    assert read_configuration(path, needed=True) == {
        "registry_mirrors": ("https://m.example",),
        "insecure_registries": ("r.example:1", "10.0.0.0/8"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "can't be read"),
        ("[]", "not a JSON object"),
        ('{"storage-driver": "vfs"}', "directives don't match any configuration option: storage-driver"),
        ('{"registry-mirrors": "https://m"}', "not a list of strings"),
        ('{"registry-mirrors": [1]}', "not a list of strings"),
        ('{"registry-mirrors": ["m"]}', "invalid mirror"),
        ("[" * 100_000, "can't be read"),
    ],
)
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InvalidParameter, match=words):
        read_configuration(tmp_path / "config.json", needed=False)


# -- accounts ---------------------------------------------------------------------------------------


def header(given: object, *, pad: bool = True) -> str:
    text = base64.urlsafe_b64encode(json.dumps(given).encode()).decode()
    return text if pad else text.rstrip("=")


@pytest.mark.parametrize("pad", [True, False])
def test_an_account_is_read_from_its_header(pad: bool) -> None:
    given = {"username": "ada", "password": "s?c>r÷t", "email": "", "serveraddress": "r.example"}
    found = Credentials.decode(header(given, pad=pad))
    assert (found.username, found.password, found.server) == ("ada", "s?c>r÷t", "r.example")
    assert "s?c>r÷t" not in repr(found)
    assert Credentials.decode(header({"Username": "ada", "Password": "x"}, pad=pad)).username == "ada"
    assert Credentials.decode(header({"identitytoken": "t"}, pad=pad)).identity_token == "t"
    assert Credentials.decode(header({"auth": base64.b64encode(b"ada:a:b").decode()}, pad=pad)).password == "a:b"
    assert Credentials.decode(header({}, pad=pad)) == Credentials()
    assert Credentials.decode(header(None, pad=pad)) == Credentials()


@pytest.mark.parametrize("text", ["%%%", header([]), header("x"), header({"username": 5}), "eyJ"])
def test_an_account_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        Credentials.decode(text)


def test_accounts_of_a_build() -> None:
    given = {"https://index.docker.io/v1/": {"username": "ada"}, "r.example:5": {"username": "bob"}}
    found = Credentials.decode_many(header(given))
    assert {registry_of(server): who.username for server, who in found.items()} == {
        "docker.io": "ada",
        "r.example:5": "bob",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("LINUX/ARM/v7", "linux/arm/v7"),
        ("aarch64", "linux/arm64"),
    ],
)
def test_a_platform_is_spelled_in_several_ways(text: str, expected: str) -> None:
    assert str(Platform.parse(text)) == expected


@pytest.mark.parametrize("text", ["", "a/b/c/d", "linux/", "linux/am d64", "linux/../x"])
def test_a_platform_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid platform"):
        Platform.parse(text)


def test_the_environments_proxy_is_not_used_for_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "spared.example")
    assert _proxy("127.0.0.1:5000", "http") is None
    assert _proxy("localhost:5000", "https") is None
    assert _proxy("spared.example", "https") is None
    assert _proxy("registry.example", "https") == ("proxy.example", 3128)


# -- TLS --------------------------------------------------------------------------------------------


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *words: object) -> None: ...


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """``localhost:PORT`` of a server with TLS, and its certificate that nobody vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl isn't installed")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    files = ["-keyout", key, "-out", certificate]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"localhost:{server.server_address[1]}", certificate
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_a_certificate_is_verified(
    secure: tuple[str, Path], tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, certificate = secure
    monkeypatch.setattr(hosts_module, "is_loopback", lambda name: False)  # as if it were elsewhere
    certs = tmp_path / "certs.d"
    (certs / host).mkdir(parents=True)

    def ask(hosts: Hosts) -> int:
        with Transport(hosts, hosts.push_to(host), site.stop).request("GET", f"https://{host}/v2/") as response:
            return response.status

    with pytest.raises(RegistryError, match="certificate"):
        ask(Hosts(certificates=(certs,)))
    shutil.copy(certificate, certs / host / "ca.crt")
    assert ask(Hosts(certificates=(certs,))) == 200
    assert ask(Hosts(insecure=(host,), certificates=())) == 200


def test_this_hosts_registries_may_use_tls_too(secure: tuple[str, Path], site: Site) -> None:
    with pytest.raises(RegistryError) as caught:
        site.pull(f"{secure[0]}/app:1")
    assert "can't be reached" not in caught.value.message  # it was, and has no manifests
