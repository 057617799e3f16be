"""Parser directives: special comments, only before anything else in the file.

``# escape=\\``` changes the escape character; ``# syntax=`` and ``# check=`` are read and kept. The first line that is
no known directive ends them; what looks like one later is a comment.
See https://docs.docker.com/reference/dockerfile/#parser-directives.
"""

from __future__ import annotations

import re

from containerlab.build.dockerfile.nodes import Directives
from containerlab.build.dockerfile.source import Place, Source

__all__ = ["parse_directives"]

_DIRECTIVE = re.compile(r"#[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*(.+)\Z")
_KNOWN = ("syntax", "escape", "check")
_ESCAPES = ("\\", "`")


def parse_directives(source: Source) -> Directives:
    """The directives of ``source``. Raises DockerfileError for one given twice and for a bad escape character."""
    found: dict[str, str] = {}
    for number, line in enumerate(source.lines, 1):
        match = _DIRECTIVE.match(line.rstrip(" \t"))
        name = match[1].lower() if match else ""
        if match is None or name not in _KNOWN:
            break
        if name in found:
            raise source.error(f"only one {name} parser directive can be used", Place(number, 1))
        if name == "escape" and match[2] not in _ESCAPES:
            raise source.error(
                f"invalid escape character {match[2]!r}", Place(number, match.start(2) + 1), hint="it is \\ or `"
            )
        found[name] = match[2]
    return Directives(**found)
