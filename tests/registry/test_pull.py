"""Pulling: what comes, what is kept of it, and what isn't fetched again."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from containerlab.errors import ContainerlabError, InvalidReference, NotInRegistry, RegistryError
from containerlab.images import Reference
from containerlab.images.kept import RepoDigest
from containerlab.images.registry import Hosts, Stopped, pull_all
from tests.registry.conftest import Site
from tests.registry.fake import DOCKER, DOCKER_LIST, OCI_INDEX, FakeRegistry, Made, digest_of, tar_of

BASE = tar_of(one=b"1" * 1000)
NOISE = os.urandom(300_000)


@pytest.fixture
def made() -> Made:
    return Made(BASE, tar_of(two=NOISE))


def test_an_image_is_what_its_manifest_says(fake: FakeRegistry, site: Site, made: Made) -> None:
    digest = fake.put(made)
    pulled = site.pull(f"{fake.host}/app:1")
    assert (pulled.image.id, pulled.digest, pulled.new) == (made.id, digest, True)
    assert pulled.image.digests == [RepoDigest(f"{fake.host}/app", digest)]
    assert (site.images.layers.diff(pulled.image.chain_ids[1]) / "two").read_bytes() == NOISE
    assert [layer.provenance.created_by for layer in site.images.layers.chain(pulled.image.chain_id)] == [
        "step 0",
        "step 1",
    ]
    assert site.images.resolve(f"{fake.host}/app:1").id == site.images.resolve(f"{fake.host}/app@{digest}").id
    assert site.images.check() == []
    assert list((site.folder / "downloads").iterdir()) == []


def test_progress_is_told_in_dockers_words(fake: FakeRegistry, site: Site, made: Made) -> None:
    digest = fake.put(made)
    site.pull(f"{fake.host}/app:1")
    assert site.told[0] == {"status": "Pulling from app", "id": "1"}
    layer = made.layers[1]["digest"][7:19]
    states = [message["status"] for message in site.told if message.get("id") == layer]
    expected = ["Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Pull complete"]
    assert [state for state in dict.fromkeys(states) if state != "Extracting"] == expected
    [*_, last] = [message for message in site.told if message["status"] == "Downloading" and message["id"] == layer]
    assert last["progressDetail"] == {"current": made.layers[1]["size"], "total": made.layers[1]["size"]}
    assert site.statuses()[-2:] == [
        f"Digest: {digest}",
        f"Status: Downloaded newer image for {fake.host}/app:1",
    ]


def test_what_is_there_is_not_fetched(fake: FakeRegistry, site: Site, made: Made) -> None:
    fake.put(made)
    fake.put(Made(BASE, tar_of(three=b"3")), tag="2")
    site.pull(f"{fake.host}/app:1")
    fake.seen.clear()
    assert site.pull(f"{fake.host}/app:2").new
    assert fake.requests(made.layers[0]["digest"]) == []
    assert "Already exists" in site.statuses()
    assert not site.pull(f"{fake.host}/app:1").new
    assert site.statuses()[-1] == f"Status: Image is up to date for {fake.host}/app:1"


def test_a_pull_by_digest_has_a_name_and_no_tag(fake: FakeRegistry, site: Site, made: Made) -> None:
    digest = fake.put(made)
    image = site.pull(f"{fake.host}/app@{digest}").image
    assert image.tags == []
    assert image.digests == [RepoDigest(f"{fake.host}/app", digest)]
    assert site.images.resolve(f"{fake.host}/app@{digest}").id == image.id
    with pytest.raises(InvalidReference):
        site.pull(f"{fake.host}/app@sha512:{'0' * 128}")


def test_a_tag_that_moved_takes_the_name_along(fake: FakeRegistry, site: Site, made: Made) -> None:
    fake.put(made)
    old = site.pull(f"{fake.host}/app:1").image
    fake.put(Made(BASE))
    new = site.pull(f"{fake.host}/app:1")
    assert new.new and new.image.id != old.id
    assert site.images.get(old.id).tags == []


def test_every_tag(fake: FakeRegistry, site: Site, made: Made) -> None:
    fake.put(made)
    fake.put(Made(BASE), tag="2")
    pulled = pull_all(site.place, Reference.parse(f"{fake.host}/app", default_tag=""), site.asked())
    assert sorted(tag.tag for one in pulled for tag in one.image.tags) == ["1", "2"]


def test_an_image_without_layers(fake: FakeRegistry, site: Site) -> None:
    made = Made()
    made.config["rootfs"] = {"type": "layers"}
    fake.put(made)
    assert site.pull(f"{fake.host}/app:1").image.chain_id is None


def test_the_same_layer_twice_is_fetched_once(fake: FakeRegistry, site: Site) -> None:
    made = Made(BASE, BASE)
    fake.put(made)
    assert len(site.pull(f"{fake.host}/app:1").image.chain_ids) == 2
    assert len(fake.requests(made.layers[0]["digest"])) == 1


# -- platforms ------------------------------------------------------------------------------------


def index(fake: FakeRegistry, *images: tuple[Made, dict[str, Any]], kind: str = DOCKER_LIST) -> str:
    entries = []
    for made, platform in images:
        fake.put(made, tag=f"only-{len(entries)}")
        entries.append(
            {"mediaType": DOCKER, "size": len(made.manifest), "digest": digest_of(made.manifest), "platform": platform}
        )
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
    return fake.put_manifest(body, kind)


@pytest.mark.parametrize("kind", [DOCKER_LIST, OCI_INDEX])
def test_an_index_gives_the_image_of_a_platform(fake: FakeRegistry, site: Site, kind: str) -> None:
    arm6, arm7 = Made(BASE, architecture="arm", variant="v6"), Made(architecture="arm", variant="v7")
    arm64 = Made(tar_of(a=b"64"), architecture="arm64", variant="v8")
    told = [("arm", "v6"), ("arm", "v7"), ("arm64", "v8")]
    platforms = [{"os": "linux", "architecture": name, "variant": variant} for name, variant in told]
    digest = index(fake, *zip([arm6, arm7, arm64], platforms, strict=True), kind=kind)
    for asked, expected in (("linux/arm/v6", arm6), ("linux/arm/v7", arm7), ("linux/arm", arm7), ("arm64", arm64)):
        pulled = site.pull(f"{fake.host}/app:1", platform=asked)
        assert (pulled.image.id, pulled.digest) == (expected.id, digest), asked
    for asked in ("linux/arm/v5", "linux/s390x", "windows/amd64"):
        with pytest.raises(NotInRegistry, match=r"no matching manifest for .* in the manifest list entries"):
            site.pull(f"{fake.host}/app:1", platform=asked)


def test_an_image_of_another_platform_is_not_taken_for_the_wanted_one(fake: FakeRegistry, site: Site) -> None:
    fake.put(Made(BASE, architecture="s390x"))
    with pytest.raises(NotInRegistry, match="does not match the specified platform: wanted linux/arm64"):
        site.pull(f"{fake.host}/app:1", platform="linux/arm64")
    assert site.is_empty()


# -- cuts -----------------------------------------------------------------------------------------


def test_a_cut_download_goes_on_where_it_ended(fake: FakeRegistry, site: Site, made: Made) -> None:
    fake.put(made)
    fake.cuts = [100_000, 50_000]
    assert site.pull(f"{fake.host}/app:1").image.id == made.id
    assert fake.sent == sum(layer["size"] for layer in made.layers) + len(made.config_bytes)
    starts = [seen.headers.get("Range") for seen in fake.requests(made.layers[1]["digest"])]
    assert starts == [None, "bytes=100000-", "bytes=150000-"]


def test_a_registry_without_ranges_begins_anew(fake: FakeRegistry, site: Site, made: Made) -> None:
    fake.put(made)
    fake.ranges, fake.cuts = False, [100_000]
    image = site.pull(f"{fake.host}/app:1").image
    assert (site.images.layers.diff(image.chain_ids[1]) / "two").read_bytes() == NOISE


def test_the_next_pull_goes_on_where_one_that_failed_ended(
    fake: FakeRegistry, site: Site, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.put(made)
    fake.cuts = [100_000, *[0] * 20]
    with pytest.raises(RegistryError, match="can't be downloaded"):
        site.pull(f"{fake.host}/app:1")
    assert site.is_empty()
    fake.cuts, fake.sent = [], 0
    site.pull(f"{fake.host}/app:1")
    assert fake.sent <= made.layers[1]["size"] - 100_000 + len(made.config_bytes) + made.layers[0]["size"]
    assert fake.seen[-1].headers.get("Range") == "bytes=100000-"


def test_what_nobody_came_back_for_is_swept(fake: FakeRegistry, site: Site, made: Made) -> None:
    fake.put(made)
    fake.cuts = [100_000, *[0] * 20]
    with pytest.raises(RegistryError):
        site.pull(f"{fake.host}/app:1")
    assert site.place.downloads.sweep(3600) == 0
    assert site.place.downloads.sweep() >= 100_000
    assert list((site.folder / "downloads").iterdir()) == []


def test_a_cut_config_is_asked_for_again(fake: FakeRegistry, site: Site, made: Made) -> None:
    fake.put(made)
    fake.cuts = [10]
    assert site.pull(f"{fake.host}/app:1").image.id == made.id
    assert len(fake.requests(made.id)) == 2


def test_a_server_that_fails_in_passing_is_asked_again(fake: FakeRegistry, site: Site, made: Made) -> None:
    fake.put(made)
    failures = [503, 500]

    def fail(handler: Any) -> bool:
        if "/manifests/" in handler.path and failures:
            handler.give(failures.pop())
            return True
        return False

    fake.before = fail
    assert site.pull(f"{fake.host}/app:1").image.id == made.id


def test_a_pull_that_is_stopped_leaves_nothing(fake: FakeRegistry, site: Site, made: Made) -> None:
    fake.put(made)
    waiting, leave = threading.Event(), threading.Event()

    def hang(handler: Any) -> bool:
        if made.layers[1]["digest"] in handler.path:
            waiting.set()
            leave.wait(20)
        return False

    fake.before = hang
    raised: list[BaseException] = []

    def work() -> None:
        try:
            site.pull(f"{fake.host}/app:1")
        except Stopped as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert waiting.wait(10)
        site.stop.set()
        thread.join(10)
        assert not thread.is_alive()
    finally:
        leave.set()
    assert len(raised) == 1
    assert site.is_empty()


# -- where an image isn't ---------------------------------------------------------------------------


def test_what_is_not_there_is_told_in_dockers_words(fake: FakeRegistry, site: Site) -> None:
    with pytest.raises(NotInRegistry) as caught:
        site.pull(f"{fake.host}/app:1")
    words = "manifest unknown: manifest unknown"
    assert caught.value.message == f"manifest for {fake.host}/app:1 not found: {words}"

    def deny(handler: Any) -> bool:
        if "/manifests/" not in handler.path:
            return False
        error = {"code": "DENIED", "message": "requested access to the resource is denied"}
        handler.give(403, json.dumps({"errors": [error]}).encode())
        return True

    fake.before = deny
    with pytest.raises(NotInRegistry) as caught:
        site.pull(f"{fake.host}/app:1")
    assert caught.value.message == (
        f"pull access denied for {fake.host}/app, repository does not exist or may require 'docker login': "
        "denied: requested access to the resource is denied"
    )


def test_a_registry_that_does_not_answer_is_named(site: Site) -> None:
    with pytest.raises(RegistryError, match=r"the registry 127\.0\.0\.1:1 can't be reached: connection refused"):
        site.pull("127.0.0.1:1/app:1")
    with pytest.raises(RegistryError, match=r"registry\.invalid can't be reached: no such host"):
        site.pull("registry.invalid/app:1")


def test_a_mirror_is_asked_first_and_without_the_account(
    fake: FakeRegistry, new_site: Callable[..., Site], made: Made
) -> None:
    from containerlab.images.registry import Credentials

    fake.put(made, "library/app")
    site = new_site(Hosts(mirrors=(f"http://{fake.host}",)))
    image = site.pull("app:1", Credentials("ada", "secret")).image
    assert [tag.familiar() for tag in image.tags] == ["app:1"]
    assert all("Authorization" not in seen.headers for seen in fake.seen)


def test_the_registry_itself_is_asked_when_a_mirror_has_nothing(
    fake: FakeRegistry, new_site: Callable[..., Site]
) -> None:
    site = new_site(Hosts(mirrors=(f"http://{fake.host}",)))
    with pytest.raises(ContainerlabError, match=r"registry-1\.docker\.io"):
        site.pull("app:1")
    assert fake.requests("/manifests/")
