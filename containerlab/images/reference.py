"""Image references: Docker's grammar, its familiar short names, and its words for what breaks them.

The grammar is that of the distribution project (reference.go): ``[domain/]path[:tag][@digest]``. A first
component is a domain when it holds a dot, a colon or an upper-case letter, or is ``localhost``;
everything else lives on ``docker.io``, and there a single-component path under ``library/``. A
*familiar* name leaves out what is implied: ``docker.io/library/busybox:latest`` is ``busybox:latest``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from containerlab.errors import InvalidReference

__all__ = ["DIGEST", "Reference"]

_DEFAULT_DOMAIN = "docker.io"
_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL = "library/"
_MAX_NAME = 255
_MAX_TEXT = 2048  # nothing longer can be valid

_DOMAIN_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_DOMAIN_COMPONENT}(?:\.{_DOMAIN_COMPONENT})*|\[[a-fA-F0-9:]+\])"
_DOMAIN = rf"{_HOST}(?::[0-9]+)?"
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_ANY_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

_REFERENCE = re.compile(rf"(?:({_DOMAIN})/)?({_PATH})(?::({_TAG}))?(?:@({_ANY_DIGEST}))?", re.ASCII)
_BARE_ID = re.compile(r"[a-f0-9]{64}")

DIGEST = re.compile(r"sha256:[a-f0-9]{64}")
"""A digest as this engine writes and accepts it; checked with ``fullmatch`` before it names any file."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference; ``str()`` is its canonical form. ``tag`` and ``digest`` may be empty."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str, *, default_tag: str = "latest") -> Reference:
        """Normalise what a user wrote; without tag and digest ``default_tag`` is meant.

        Raises ``InvalidReference`` with Docker's words.
        """
        if len(text) > _MAX_TEXT:
            raise InvalidReference("invalid reference format", hint=f"it is longer than {_MAX_TEXT} characters")
        if _BARE_ID.fullmatch(text):
            raise InvalidReference(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
        domain, remainder = _split_domain(text)
        name = remainder.partition("@")[0]
        repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
        if repository != repository.lower():
            raise InvalidReference(f"invalid reference format: repository name ({repository}) must be lowercase")
        match = _REFERENCE.fullmatch(f"{domain}/{remainder}")
        if match is None or match[1] != domain:
            raise InvalidReference("invalid reference format", hint=f"{text!r} is not NAME[:TAG] or NAME@DIGEST")
        path, tag, digest = match[2], match[3] or "", match[4] or ""
        if len(path) > _MAX_NAME:
            raise InvalidReference(f"repository name must not be more than {_MAX_NAME} characters")
        _check_digest(digest)
        if not tag and not digest:
            tag = default_tag
        return cls(domain, path, tag, digest)

    def familiar(self) -> str:
        """The reference as Docker shows it: ``busybox:latest``, ``lab/busybox:latest``, ``ghcr.io/a/b:1``."""
        return self.familiar_name() + self._suffix()

    def familiar_name(self) -> str:
        """The repository alone as Docker shows it: ``busybox``, ``ghcr.io/a/b``."""
        if self.domain != _DEFAULT_DOMAIN:
            return self.name()
        bare = self.path.removeprefix(_OFFICIAL)
        # "library/a/b" and a path that would read as a domain keep their prefix.
        return self.path if "/" in bare or not bare else bare

    def name(self) -> str:
        """The repository in canonical form: ``docker.io/library/busybox``."""
        return f"{self.domain}/{self.path}"

    def with_tag(self, tag: str) -> Reference:
        """The same repository under another tag, without digest."""
        if re.fullmatch(_TAG, tag, re.ASCII) is None:
            raise InvalidReference("invalid tag format")
        return replace(self, tag=tag, digest="")

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name() + self._suffix()


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    is_domain = slash and (any(c in first for c in ".:") or first == "localhost" or first != first.lower())
    if not is_domain:
        first, rest = _DEFAULT_DOMAIN, text
    if first == _LEGACY_DOMAIN:
        first = _DEFAULT_DOMAIN
    if first == _DEFAULT_DOMAIN and "/" not in rest:
        rest = _OFFICIAL + rest
    return first, rest


def _check_digest(digest: str) -> None:
    algorithm, _, value = digest.partition(":")
    if not digest:
        return
    if algorithm not in ("sha256", "sha384", "sha512"):
        raise InvalidReference("unsupported digest algorithm", hint=f"{algorithm} is not sha256")
    if len(value) != {"sha256": 64, "sha384": 96, "sha512": 128}[algorithm]:
        raise InvalidReference("invalid checksum digest length")
    if value != value.lower():
        raise InvalidReference("invalid checksum digest format")
