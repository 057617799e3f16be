"""The filters of ``GET /images/json`` (moby daemon/images/images.go)."""

from __future__ import annotations

import msgspec

from containerlab.engine.clock import nanoseconds
from containerlab.engine.matching import check_names, label_matches
from containerlab.engine.moments import moment
from containerlab.errors import InvalidParameter
from containerlab.images import Image, ImageStore, Reference

__all__ = ["pick"]

_FILTERS = ("dangling", "label", "before", "since", "until", "reference")


def pick(images: ImageStore, filters: dict[str, list[str]]) -> list[Image]:
    """The images that pass, newest first. Raises InvalidParameter, and NoSuchImage for ``before`` and ``since``."""
    check_names(filters, _FILTERS)
    dangling = _boolean(filters.get("dangling", []))
    before = [nanoseconds(images.resolve(ref).created) for ref in filters.get("before", [])]
    since = [nanoseconds(images.resolve(ref).created) for ref in filters.get("since", [])]
    until = [moment(value) for value in filters.get("until", [])]
    patterns = filters.get("reference", [])

    def passes(image: Image) -> bool:
        labels = image.config.config.Labels or {}
        return (
            (dangling is None or dangling is not bool(image.tags or image.digests))
            and all(label_matches(labels, value) for value in filters.get("label", []))
            and all(nanoseconds(image.created) < bound for bound in before)
            and all(nanoseconds(image.created) > bound for bound in since)
            and all(moment(image.created) < bound for bound in until if image.created)
        )

    found = [image for image in images.list() if passes(image)]
    if patterns:
        found = [named for named in (_named(image, patterns) for image in found) if named.tags or named.digests]
    return sorted(found, key=lambda image: nanoseconds(image.created), reverse=True)


def _named(image: Image, patterns: list[str]) -> Image:
    """The image with those of its names that a pattern matches: Docker shows no other ones."""
    tags = [tag for tag in image.tags if any(reference_matches(tag, pattern) for pattern in patterns)]
    digests = [
        name
        for name in image.digests
        if any(reference_matches(Reference.parse(name.familiar()), pattern) for pattern in patterns)
    ]
    return msgspec.structs.replace(image, tags=tags, digests=digests)


def reference_matches(tag: Reference, pattern: str) -> bool:
    """``familiar/name:tag`` or the name alone, by Go's ``path.Match`` (distribution reference.FamiliarMatch)."""
    from containerlab.build.glob import compile_pattern  # late: it brings the build room along

    try:
        compiled = compile_pattern(pattern)
    except ValueError as error:
        raise InvalidParameter(f"invalid filter 'reference={pattern}': {error}") from None
    return any(compiled.fullmatch(text) for text in (tag.familiar(), tag.familiar_name()))


def _boolean(values: list[str]) -> bool | None:
    if not values:
        return None
    if values[0].lower() in ("1", "true"):
        return True
    if values[0].lower() in ("0", "false"):
        return False
    raise InvalidParameter(f"invalid filter 'dangling={values[0]}'")
