"""Pushing to a real registry, and what other programs find there."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from containerlab.errors import RegistryError
from containerlab.images import ImageStore
from containerlab.images.registry import Credentials
from containerlab.images.registry.packing import compress
from containerlab.images.registry.stop import Stop
from tests.registries import running_registry
from tests.registry.conftest import Site
from tests.registry.fake import FakeRegistry, Made, digest_of, tar_of

# ada:secret, with bcrypt's cheapest cost (crypt(3)).
ACCOUNT = "ada:$2b$04$vSKkWBrxDcvZquIs9q2ccO4/drhlyu2sN8QTzHnR4reOuMQ1kOxFK\n"


@pytest.fixture
def busybox(site: Site, registry: str) -> Iterator[str]:
    """``lab/busybox`` under a name of the registry, in the first store."""
    name = f"{registry}/lab/busybox:1"
    site.images.tag(site.images.resolve("lab/busybox").id, name)
    yield name


def skopeo(*words: str) -> str:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo isn't installed")
    return subprocess.run(["skopeo", *words], check=True, capture_output=True, text=True, timeout=60).stdout


def test_an_image_that_was_made_here_comes_back_as_the_same(
    site: Site, new_site: Callable[..., Site], busybox: str
) -> None:
    digest = site.push(busybox)
    pulled = new_site().pull(busybox)
    assert (pulled.image.id, pulled.digest) == (site.images.resolve(busybox).id, digest)
    assert pulled.image.digests == site.images.resolve(busybox).digests
    assert site.images.check() == []


def test_progress_is_told_in_dockers_words(site: Site, busybox: str) -> None:
    site.images.tag(site.images.resolve(busybox).id, fresh := busybox.replace(":1", "-progress:7"))
    digest = site.push(fresh)
    states = [message["status"] for message in site.told if message.get("id")]
    assert [state for state in dict.fromkeys(states) if state not in ("Pushing", "Layer already exists")] == [
        "Preparing",
        "Pushed",
    ] or "Mounted from lab/busybox" in states
    size = site.told[-1]["aux"]["Size"]
    assert site.told[-2]["status"] == f"7: digest: {digest} size: {size}"
    assert site.told[-1] == {"progressDetail": {}, "aux": {"Tag": "7", "Digest": digest, "Size": size}}


def test_what_the_registry_has_is_not_sent_again(site: Site, busybox: str) -> None:
    site.push(busybox)
    site.told.clear()
    site.push(busybox)
    assert "Layer already exists" in site.statuses()
    site.images.tag(site.images.resolve(busybox).id, other := busybox.replace("/busybox", "/other"))
    site.push(other)
    assert "Mounted from lab/busybox" in site.statuses()


def test_a_layer_is_compressed_to_the_same_bytes_in_every_store(new_site: Callable[..., Site]) -> None:
    made = []
    for _ in range(2):
        site = new_site()
        image = site.images.resolve("lab/busybox")
        blob, file = compress(site.images.layers, image.chain_ids[0], image.diff_ids[0], site.place.scratch, Stop())
        made.append(blob)
        assert digest_of(file.read_bytes()) == blob.digest
        file.unlink()
    assert made[0] == made[1]


def test_a_pulled_image_goes_on_under_the_digest_that_it_has(
    fake: FakeRegistry, site: Site, new_site: Callable[..., Site], registry: str
) -> None:
    # Levels 1 and 9: no two programs compress alike, so only bytes that were kept have these digests.
    made = Made(tar_of(one=b"1" * 5000), level=1)
    made.more = {"annotations": {"kept": "as it came"}}
    digest = fake.put(made)
    image = site.pull(f"{fake.host}/app:1").image
    site.images.tag(image.id, f"{registry}/kept:1")
    assert site.push(f"{registry}/kept:1") == digest
    assert new_site().pull(f"{registry}/kept@{digest}").image.id == made.id
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{registry}/kept:1")
    assert digest_of(raw.encode()) == digest


def test_an_image_on_a_pulled_one_sends_its_own_layers_alone(fake: FakeRegistry, site: Site, registry: str) -> None:
    base = Made(tar_of(one=b"1" * 5000), level=1)
    fake.put(base)
    on_base = Made(tar_of(one=b"1" * 5000), tar_of(two=b"2"))
    below = site.pull(f"{fake.host}/app:1").image
    site.images.tag(below.id, f"{registry}/base:1")
    site.push(f"{registry}/base:1")
    top = site.images.layers.unpack(io.BytesIO(tar_of(two=b"2")), below.chain_id)
    site.images.register(on_base.config_bytes, top.chain_id, f"{registry}/on-base:1")
    site.told.clear()
    site.push(f"{registry}/on-base:1")
    assert {"Mounted from base", "Pushed"} <= set(site.statuses())
    manifest = json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{registry}/on-base:1"))
    assert manifest["layers"][0]["digest"] == base.layers[0]["digest"]


def test_skopeo_reads_what_was_pushed(site: Site, busybox: str, tmp_path: Path) -> None:
    site.push(busybox)
    skopeo("copy", "--src-tls-verify=false", f"docker://{busybox}", f"oci:{tmp_path / 'layout'}:1")
    shown = json.loads(skopeo("inspect", f"oci:{tmp_path / 'layout'}:1"))
    assert shown["Architecture"] == site.images.resolve(busybox).config.architecture
    config = json.loads(skopeo("inspect", "--config", "--tls-verify=false", f"docker://{busybox}"))
    assert config["rootfs"]["diff_ids"] == site.images.resolve(busybox).diff_ids


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("form", ["v2s2", "oci"])
def test_what_skopeo_pushed_is_pulled_and_pushed_again(
    site: Site, new_site: Callable[..., Site], busybox: str, registry: str, form: str, compression: str
) -> None:
    if (form, compression) == ("v2s2", "zstd"):
        pytest.skip("Docker's manifest has no word for zstd")
    site.push(busybox)
    theirs, ours = (f"{registry}/{who}-{form}-{compression}:1" for who in ("theirs", "ours"))
    words = ["--src-tls-verify=false", "--dest-tls-verify=false", "-f", form, "--dest-compress-format", compression]
    skopeo("copy", *words, f"docker://{busybox}", f"docker://{theirs}")
    second = new_site()
    pulled = second.pull(theirs)
    assert pulled.image.diff_ids == site.images.resolve(busybox).diff_ids
    second.images.tag(pulled.image.id, ours)
    assert second.push(ours) == pulled.digest


def test_a_registry_with_accounts(site: Site, new_site: Callable[..., Site], tmp_path: Path) -> None:
    with running_registry(tmp_path / "closed", htpasswd=ACCOUNT) as host:
        name = f"{host}/private:1"
        site.images.tag(site.images.resolve("lab/busybox").id, name)
        with pytest.raises(RegistryError, match="no basic auth credentials"):
            site.push(name)
        with pytest.raises(RegistryError, match="no basic auth credentials"):
            site.push(name, Credentials("ada", "wrong"))
        site.push(name, Credentials("ada", "secret"))
        with pytest.raises(RegistryError, match="no basic auth credentials"):
            new_site().pull(name)
        new_site().pull(name, Credentials("ada", "secret"))


def test_what_was_kept_goes_with_the_image(fake: FakeRegistry, site: Site) -> None:
    made = Made(tar_of(one=b"1"), tar_of(two=b"2"))
    fake.put(made)
    fake.put(Made(tar_of(one=b"1")), tag="base")
    image, base = site.pull(f"{fake.host}/app:1").image, site.pull(f"{fake.host}/app:base").image
    assert len(set(site.images.content.digests())) == 6  # two configs, two manifests, two layers
    site.images.remove(image.id)
    assert len(set(site.images.content.digests())) == 3
    assert site.images.check() == []
    site.images.remove(base.id)
    assert site.is_empty()


def test_what_was_kept_is_there_after_a_restart(fake: FakeRegistry, site: Site) -> None:
    fake.put(Made(tar_of(one=b"1")))
    image = site.pull(f"{fake.host}/app:1").image
    again = ImageStore(site.database, site.folder)
    assert again.get(image.id) == image
    assert again.check() == []
    assert again.kept.layer(image.diff_ids[0]) is not None
