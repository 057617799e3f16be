"""Docker's grammar of image names, and its words when one breaks it."""

from __future__ import annotations

import pytest

from containerlab.errors import InvalidReference
from containerlab.images import Reference

SHA = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("lab/busybox", "docker.io/lab/busybox:latest", "lab/busybox:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
        ("localhost:5000/x:y", "localhost:5000/x:y", "localhost:5000/x:y"),
        ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
        ("UPPER/x", "UPPER/x:latest", "UPPER/x:latest"),
        (f"busybox@{SHA}", f"docker.io/library/busybox@{SHA}", f"busybox@{SHA}"),
        (f"busybox:1@{SHA}", f"docker.io/library/busybox:1@{SHA}", f"busybox:1@{SHA}"),
        ("a__b.c-d---e_f", "docker.io/library/a__b.c-d---e_f:latest", "a__b.c-d---e_f:latest"),
        ("a:" + "t" * 128, "docker.io/library/a:" + "t" * 128, "a:" + "t" * 128),
        ("test.com/a:Tag_1.2-x", "test.com/a:Tag_1.2-x", "test.com/a:Tag_1.2-x"),
    ],
)
def test_names_are_normalised(text: str, canonical: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert str(reference) == canonical
    assert reference.familiar() == familiar
    assert Reference.parse(canonical) == Reference.parse(familiar) == reference


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        (":justtag", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a:b:c", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("a-", "invalid reference format"),
        ("a..b", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("/a", "invalid reference format"),
        ("../a", "invalid reference format"),
        ("a\n", "invalid reference format"),
        ("а", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("a@sha256:abc", "invalid reference format"),
        ("-x.com/a", "invalid reference format"),
        ("Busybox", "invalid reference format: repository name (library/Busybox) must be lowercase"),
        ("lab/Busybox:Tag", "invalid reference format: repository name (lab/Busybox) must be lowercase"),
        ("a@sha256:" + "a" * 32, "invalid checksum digest length"),
        ("a@sha256:" + "A" * 64, "invalid checksum digest format"),
        ("a@md5:" + "a" * 32, "unsupported digest algorithm"),
        ("a-" * 50_000, "invalid reference format"),
        ("a" * 256, "repository name must not be more than 255 characters"),
        ("0" * 64, "invalid repository name (" + "0" * 64 + "), cannot specify 64-byte hexadecimal strings"),
    ],
)
def test_broken_names_are_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert caught.value.message == message


def test_tag_replaces_tag_and_digest() -> None:
    assert str(Reference.parse(f"a:1@{SHA}").with_tag("2")) == "docker.io/library/a:2"
    with pytest.raises(InvalidReference, match="invalid tag format"):
        Reference.parse("a").with_tag("-")
