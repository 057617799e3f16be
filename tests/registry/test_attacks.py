"""Registries and images that lie: wrong bytes, wrong sizes, confusing documents, redirects that fish for accounts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from containerlab.errors import BadArchive, ContainerlabError, LoginRefused, NotInRegistry, RegistryError
from containerlab.images.limits import Limits
from containerlab.images.registry import Credentials, log_in
from containerlab.images.registry.hosts import Hosts
from tests.registry.conftest import Site
from tests.registry.fake import DOCKER, DOCKER_LIST, OCI, FakeRegistry, Made, digest_of, tar_of

ADA = Credentials("ada", "secret")
BASIC = "Basic " + base64.b64encode(b"ada:secret").decode()
BASE = tar_of(one=b"1" * 1000)


def refused(site: Site, fake: FakeRegistry, words: str, kind: type[ContainerlabError] = RegistryError) -> None:
    """The pull fails with these words, and nothing is kept."""
    with pytest.raises(kind, match=words):
        site.pull(f"{fake.host}/app:1")
    assert site.is_empty()


# -- bytes ------------------------------------------------------------------------------------------


def test_a_layer_with_other_bytes_is_refused(fake: FakeRegistry, site: Site) -> None:
    made = Made(BASE)
    fake.put(made)
    blob = bytearray(made.packed[0])
    blob[-1] ^= 1
    fake.blobs[digest_of(made.packed[0])] = bytes(blob)
    refused(site, fake, "verification failed for digest")
    fake.put(made)
    assert site.pull(f"{fake.host}/app:1").image.id == made.id


def test_a_config_with_other_bytes_is_refused(fake: FakeRegistry, site: Site) -> None:
    made = Made(BASE)
    fake.put(made)
    fake.blobs[made.id] = made.config_bytes + b" "
    refused(site, fake, "verification failed for digest")


def test_a_manifest_with_other_bytes_is_refused(fake: FakeRegistry, site: Site) -> None:
    digest = fake.put(Made(BASE))
    fake.manifests["app", digest] = (Made(tar_of(two=b"2")).manifest, DOCKER)
    with pytest.raises(RegistryError, match="manifest verification failed"):
        site.pull(f"{fake.host}/app@{digest}")
    assert site.is_empty()


def test_a_layer_that_is_not_what_the_config_says_is_refused(fake: FakeRegistry, site: Site) -> None:
    made = Made(BASE)
    made.config["rootfs"]["diff_ids"] = [digest_of(b"something else")]
    fake.put(made)
    refused(site, fake, "failed to register layer", BadArchive)


def test_layers_taken_back_are_only_those_of_the_pull_that_failed(fake: FakeRegistry, site: Site) -> None:
    good = Made(BASE)
    fake.put(good, tag="good")
    bad = Made(BASE, tar_of(two=b"2"), tar_of(three=b"3"))
    bad.config["rootfs"]["diff_ids"][2] = digest_of(b"something else")
    fake.put(bad)
    kept = site.pull(f"{fake.host}/app:good").image
    with pytest.raises(BadArchive):
        site.pull(f"{fake.host}/app:1")
    assert [layer.chain_id for layer in site.images.layers.all()] == kept.chain_ids
    assert site.images.check() == []


def test_a_layer_larger_than_it_should_be_is_cut_off(fake: FakeRegistry, site: Site) -> None:
    made = Made(BASE)
    fake.put(made)
    fake.blobs[digest_of(made.packed[0])] = made.packed[0] + bytes(10_000_000)
    refused(site, fake, "larger than the")


def test_a_layer_that_is_shorter_than_it_should_be_is_refused(fake: FakeRegistry, site: Site) -> None:
    made = Made(BASE)
    made.layers[0]["size"] += 1
    fake.put(made)
    refused(site, fake, "can't be downloaded")


@pytest.mark.parametrize("size", [-1, 1 << 62])
def test_a_size_that_cannot_be_is_refused(fake: FakeRegistry, site: Site, size: int) -> None:
    made = Made(BASE)
    made.layers[0]["size"] = size
    fake.put(made)
    refused(site, fake, "which can't be")


def test_a_manifest_without_end_is_bounded(fake: FakeRegistry, site: Site) -> None:
    fake.put_manifest(b" " * (5 << 20), DOCKER)
    refused(site, fake, "larger than 4194304 bytes")


def test_a_config_without_end_is_bounded(fake: FakeRegistry, site: Site) -> None:
    made = Made(BASE)
    fake.put(made)
    fake.blobs[made.id] = bytes(5 << 20)
    refused(site, fake, "larger than 4194304 bytes")


def test_a_bomb_is_stopped(fake: FakeRegistry, new_site: Callable[..., Site]) -> None:
    site = new_site(limits=Limits(ratio=50, ratio_from=1 << 20))
    fake.put(Made(tar_of(zeros=bytes(64 << 20))))
    refused(site, fake, "more than 50 times its size", BadArchive)


# -- documents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "0" * 32, ""])
@pytest.mark.parametrize("where", ["layer", "config", "index"])
def test_what_is_no_digest_names_no_file(fake: FakeRegistry, site: Site, digest: str, where: str) -> None:
    made = Made(BASE)
    document: dict[str, Any] = json.loads(made.manifest)
    if where == "layer":
        document["layers"][0]["digest"] = digest
    elif where == "config":
        document["config"]["digest"] = digest
    else:
        entry = {"mediaType": DOCKER, "size": 1, "digest": digest, "platform": {"os": "linux", "architecture": "amd64"}}
        document = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [entry]}
    fake.put(made)
    fake.put_manifest(json.dumps(document).encode(), document["mediaType"])
    with pytest.raises(RegistryError, match="not a digest"):
        site.pull(f"{fake.host}/app:1", platform="linux/amd64")
    assert site.is_empty()


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"manifests": []}, DOCKER, "also holds manifests"),
        ({"fsLayers": []}, DOCKER, "also holds fsLayers"),
        ({"mediaType": DOCKER_LIST}, DOCKER, "the manifest says that it is"),
        ({}, OCI, "the manifest says that it is"),
        ({}, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        ({}, "text/html", "no image's manifest"),
    ],
)
def test_a_document_that_could_be_two_things_is_refused(
    fake: FakeRegistry, site: Site, more: dict[str, Any], kind: str, words: str
) -> None:
    made = Made(BASE)
    made.more = more
    fake.put(made)
    fake.put_manifest(made.manifest, kind)
    refused(site, fake, words)


def test_what_is_no_image_is_refused(fake: FakeRegistry, site: Site) -> None:
    made = Made(BASE)
    document = json.loads(made.manifest)
    document["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    fake.put(made)
    fake.put_manifest(json.dumps(document).encode(), DOCKER)
    refused(site, fake, "this is no image")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"schemaVersion": 2}', b"\xff\xfe"])
def test_a_manifest_that_is_none_is_refused(fake: FakeRegistry, site: Site, body: bytes) -> None:
    fake.put_manifest(body, DOCKER)
    refused(site, fake, "can't be read")


def test_config_and_manifest_must_agree_on_the_layers(fake: FakeRegistry, site: Site) -> None:
    made = Made(BASE)
    made.config["rootfs"]["diff_ids"] *= 2
    fake.put(made)
    refused(site, fake, "manifest has 1 layers, its config 2")


def test_addresses_in_a_layer_are_never_asked(fake: FakeRegistry, other: FakeRegistry, site: Site) -> None:
    made = Made(BASE)
    made.layers[0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    made.layers[0]["urls"] = [f"http://{other.host}/blob", "http://169.254.169.254/latest/meta-data"]
    fake.put(made)
    del fake.blobs[digest_of(made.packed[0])]
    refused(site, fake, "blob unknown")
    assert other.seen == []


# -- accounts ---------------------------------------------------------------------------------------


def needs_basic(handler: Any) -> bool:
    if handler.headers.get("Authorization") == BASIC:
        return False
    handler.give(401, WWW_Authenticate='Basic realm="here"')
    return True


def test_an_account_is_shown_when_it_is_asked_for(fake: FakeRegistry, site: Site) -> None:
    fake.put(Made(BASE))
    fake.before = needs_basic
    refused(site, fake, "no basic auth credentials")
    with pytest.raises(RegistryError, match="no basic auth credentials"):
        site.pull(f"{fake.host}/app:1", Credentials("ada", "wrong"))
    site.pull(f"{fake.host}/app:1", ADA)


def test_nothing_is_shown_that_was_not_asked_for(fake: FakeRegistry, site: Site) -> None:
    fake.put(Made(BASE))
    site.pull(f"{fake.host}/app:1", ADA)
    assert all("Authorization" not in seen.headers for seen in fake.seen)


@pytest.mark.parametrize("challenge", [False, True])
def test_a_redirect_takes_no_account_along(
    fake: FakeRegistry, other: FakeRegistry, site: Site, challenge: bool
) -> None:
    made = Made(BASE)
    fake.put(made)
    other.put(made)

    def redirect(handler: Any) -> bool:
        if needs_basic(handler):
            return True
        if "/blobs/" not in handler.path:
            return False
        handler.give(307, Location=f"http://{other.host}{handler.path}")
        return True

    fake.before = redirect
    if challenge:
        other.before = needs_basic
        with pytest.raises(RegistryError, match="no basic auth credentials"):
            site.pull(f"{fake.host}/app:1", ADA)
        assert site.is_empty()
    else:
        assert site.pull(f"{fake.host}/app:1", ADA).image.id == made.id
    assert other.seen
    assert all("Authorization" not in seen.headers for seen in other.seen)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://registry.example/x", "plain HTTP"),
        ("https://169.254.169.254/latest/meta-data", "link-local"),
        ("https://[fe80::1]/x", "link-local"),
        ("file:///etc/passwd", "no web address"),
        ("ftp://127.0.0.1/x", "no web address"),
        ("https://ada:secret@127.0.0.1/x", "no web address"),
    ],
)
def test_a_redirect_leads_only_to_web_addresses(fake: FakeRegistry, site: Site, target: str, words: str) -> None:
    fake.put(Made(BASE))

    def redirect(handler: Any) -> bool:
        if "/blobs/" not in handler.path:
            return False
        handler.give(307, Location=target)
        return True

    fake.before = redirect
    refused(site, fake, words)


def test_redirects_without_end_are_stopped(fake: FakeRegistry, site: Site) -> None:
    fake.put(Made(BASE))

    def redirect(handler: Any) -> bool:
        if "/blobs/" not in handler.path:
            return False
        handler.give(302, Location=handler.path + "x")
        return True

    fake.before = redirect
    refused(site, fake, "stopped after 5 redirects")


def token_server(server: FakeRegistry, *, account: bool = True) -> None:
    def token(handler: Any) -> bool:
        if account and handler.headers.get("Authorization") != BASIC:
            handler.give(401, b"{}")
        else:
            handler.give(200, b'{"token": "t0k3n"}')
        return True

    server.before = token


def needs_token(realm: str, *, more: str = "") -> Callable[[Any], bool]:
    def ask(handler: Any) -> bool:
        if handler.headers.get("Authorization") == "Bearer t0k3n":
            return False
        handler.give(401, WWW_Authenticate=f'Bearer realm="{realm}",service="reg,istry"{more}')
        return True

    return ask


def test_a_token_is_fetched_once_for_what_is_needed(fake: FakeRegistry, other: FakeRegistry, site: Site) -> None:
    fake.put(Made(BASE, tar_of(two=b"2")))
    token_server(other)
    fake.before = needs_token(f"http://{other.host}/token?a=b")
    site.pull(f"{fake.host}/app:1", ADA)
    [asked] = other.seen
    assert asked.path == "/token?a=b&service=reg%2Cistry&scope=repository%3Aapp%3Apull&account=ada"
    assert all(seen.headers.get("Authorization") in (None, "Bearer t0k3n") for seen in fake.seen)


def test_a_token_server_that_does_not_know_the_account(fake: FakeRegistry, other: FakeRegistry, site: Site) -> None:
    fake.put(Made(BASE))
    token_server(other)
    fake.before = needs_token(f"http://{other.host}/token")
    with pytest.raises(LoginRefused, match="unauthorized: incorrect username or password"):
        site.pull(f"{fake.host}/app:1", Credentials("ada", "wrong"))


def test_a_token_that_does_not_suffice_is_told_as_docker_does(
    fake: FakeRegistry, other: FakeRegistry, site: Site
) -> None:
    token_server(other, account=False)
    fake.put(Made(BASE))

    def deny(handler: Any) -> bool:
        realm = f'Bearer realm="http://{other.host}/token",service="s"'
        if "/manifests/" in handler.path and "Authorization" in handler.headers:
            handler.give(401, WWW_Authenticate=f'{realm},error="insufficient_scope"')
        else:
            handler.give(401, WWW_Authenticate=realm)
        return True

    fake.before = deny
    refused(site, fake, "pull access denied for .*: denied: requested access to the resource is denied", NotInRegistry)


@pytest.mark.parametrize(
    ("realm", "words"),
    [
        ("http://registry.example/token", "plain HTTP"),
        ("https://169.254.169.254/token", "link-local"),
        ("file:///etc/passwd", "token server"),
        ("nonsense", "token server"),
    ],
)
def test_a_token_server_is_a_web_address_with_tls(fake: FakeRegistry, site: Site, realm: str, words: str) -> None:
    fake.put(Made(BASE))
    fake.before = needs_token(realm)
    with pytest.raises(RegistryError, match=words):
        site.pull(f"{fake.host}/app:1", ADA)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"token": 5}', b'{"token": "a\\r\\nX: y"}', b"[" * 100_000])
def test_a_token_that_is_none_is_refused(fake: FakeRegistry, other: FakeRegistry, site: Site, answer: bytes) -> None:
    fake.put(Made(BASE))
    fake.before = needs_token(f"http://{other.host}/token")

    def give(handler: Any) -> bool:
        handler.give(200, answer)
        return True

    other.before = give
    with pytest.raises(RegistryError):
        site.pull(f"{fake.host}/app:1", ADA)


def test_a_list_of_tags_that_goes_on_elsewhere_is_refused(fake: FakeRegistry, other: FakeRegistry, site: Site) -> None:
    from containerlab.images import Reference
    from containerlab.images.registry import pull_all

    def elsewhere(handler: Any) -> bool:
        if "/tags/" not in handler.path:
            return False
        handler.give(200, b'{"tags": []}', Link=f'<http://{other.host}/v2/app/tags/list>; rel="next"')
        return True

    fake.before = elsewhere
    with pytest.raises(RegistryError, match="another host"):
        pull_all(site.place, Reference.parse(f"{fake.host}/app", default_tag=""), site.asked(ADA))
    assert other.seen == []


def test_a_login_is_asked_of_the_registry(fake: FakeRegistry, site: Site) -> None:
    fake.before = needs_basic
    log_in(Hosts(), Credentials("ada", "secret", server=fake.host), site.stop)
    log_in(Hosts(), Credentials("ada", "secret", server=f"http://{fake.host}/v1/"), site.stop)
    with pytest.raises(LoginRefused, match="failed with status: 401 Unauthorized"):
        log_in(Hosts(), Credentials("ada", "wrong", server=fake.host), site.stop)
