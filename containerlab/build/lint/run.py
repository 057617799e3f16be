"""All rules over one Dockerfile, as its ``# check=`` directive wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from containerlab.build.dockerfile import Dockerfile
from containerlab.build.lint.model import Finding, Subject
from containerlab.build.lint.rules import RULES
from containerlab.errors import ContainerlabError, DockerfileError
from containerlab.images import ImageStore

__all__ = ["image_variables", "lint", "refuse_errors", "told"]


_MOST_FOUND = 100
"""Of one rule; who breaks it more often knows it by then."""


@dataclass(frozen=True, slots=True)
class _Directive:
    """``# check=skip=A,B;error=true``; rules in lower case. What else stands in it is BuildKit's to know."""

    skip: frozenset[str]
    error: bool

    @classmethod
    def of(cls, text: str) -> _Directive:
        said = {name.strip().lower(): value for name, _, value in (part.partition("=") for part in text.split(";"))}
        skip = frozenset(word.strip().lower() for word in said.get("skip", "").split(",") if word.strip())
        return cls(skip, said.get("error", "").strip().lower() == "true")


def lint(
    dockerfile: Dockerfile,
    variables: Callable[[str], frozenset[str] | None] = lambda image: None,
    *,
    target: str = "",
) -> list[Finding]:
    """What the rules find, in the file's order. ``variables`` says what an image sets (None: not known)."""
    skip = _Directive.of(dockerfile.directives.check).skip
    if "all" in skip:
        return []
    subject = Subject(dockerfile, variables, target)
    found = [
        Finding(rule.name, rule.level, each.line, each.message, rule.why, each.better)
        for rule in RULES
        if rule.name.lower() not in skip
        for each in islice(rule.check(subject), _MOST_FOUND)
    ]
    return sorted(dict.fromkeys(found), key=lambda finding: finding.line)


def image_variables(images: ImageStore) -> Callable[[str], frozenset[str] | None]:
    """The variables of an image that the store has, or can make of the host; nothing is fetched for it."""

    def variables(name: str) -> frozenset[str] | None:
        try:
            image = images.resolve(name)
        except ContainerlabError:
            return None
        settings = image.config.config
        return frozenset(each.partition("=")[0] for each in (settings.Env if settings else None) or ())

    return variables


def refuse_errors(dockerfile: Dockerfile, findings: list[Finding]) -> None:
    """``error=true`` makes an error of what BuildKit warns of too. Raises DockerfileError."""
    warnings = [finding for finding in findings if finding.level == "warning"]
    if warnings and _Directive.of(dockerfile.directives.check).error:
        first = warnings[0]
        raise DockerfileError(
            f"{first.rule}: {first.message}",
            file=dockerfile.file, line=first.line, hint="# check=error=true makes it an error",
        )  # fmt: skip


def told(file: str, findings: list[Finding]) -> dict[str, object]:
    """The record that a build's stream and the check's answer carry (docs/interfaces.md)."""
    return {"file": file, "findings": [finding.to_dict() for finding in findings]}
