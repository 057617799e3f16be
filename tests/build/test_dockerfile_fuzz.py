"""The parser, the lint and the stages' graph on texts that nobody would write: an answer or an error, and no hang."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containerlab.build.dockerfile import Dockerfile, parse
from containerlab.build.dockerfile.parser import MAX_BYTES
from containerlab.build.graph import Graph
from containerlab.build.lint import lint
from containerlab.build.options import platform_args
from containerlab.errors import ContainerlabError, DockerfileError

_PIECES = (
    st.sampled_from(
        ["FROM busybox\n", "RUN ", "COPY ", "ENV ", "a=b ", "<<EOF ", "EOF\n", "\\\n", "# x\n", "\n", "[", '"', "'"]
    )
    | st.sampled_from(["${", "}", "$x", " AS ", "--from=", "ONBUILD ", "HEALTHCHECK ", "CMD ", "]", ",", "é", "\r\n"])
    | st.sampled_from(
        ["--mount=type=cache,", "target=/x ", "id=", "ADD ", "ARG ", "%%", "##", "//", ":-", "SHELL ", "--"]
    )
)

# Whole lines, so that many of the texts are read to their end and go on to lint and graph.
_LINES = st.sampled_from(
    """FROM scratch AS {w}|FROM {w}|FROM $v{w}|ARG {w}|ARG {w}=$v|ENV {w}=${v:-{w}}|ENV {w} {w}|COPY --from={w} {w} {w}
COPY --chown={w} . {w}|COPY <<{w} {w}|ADD --checksum={w} {w} {w}|ADD {w} {w}|RUN {w} && apt-get {w} install -y {w}
RUN --mount=from={w},target={w} {w}|RUN --network={w} cd {w} && {w}
RUN --mount=type=cache,target=/a,uid={w},mode={w} {w}|HEALTHCHECK --interval={w}s --retries={w} CMD {w}
EXPOSE {w}/{w}|WORKDIR {w}
USER {w}:{w}|CMD {w}|CMD ["{w}", "{w}"]
SHELL ["{w}"]|VOLUME {w}|ONBUILD COPY --from={w} {w} {w}|STOPSIGNAL {w}|LABEL {w}={w}|MAINTAINER {w}|# check=skip={w}
{w}|RUN <<{w}|RUN {w} \\""".replace("\n", "|").split("|")
)
_WORDS = st.sampled_from(
    ["a", "b", "0", "1", "9" * 30, "$v", "${v%%/*}", "${v/a/b}", ".", "/", "../..", "*", "[", "'", '"', "é", "", "-r x"]
) | st.text(max_size=4)


def is_read_or_refused(text: str) -> None:
    """Parsed and looked at as a build does before its first step; whatever is refused is refused at a line."""
    try:
        parsed = parse(text.encode("utf-8", "surrogatepass"))
    except DockerfileError as error:
        assert 1 <= error.line <= max(text.count("\n") + 1, 1)
        return
    lines = [each.line for stage in parsed.stages for each in (stage.from_, *stage.instructions)]
    assert lines == sorted(lines)
    for stage in parsed.stages:
        assert stage.from_.image
    for finding in lint(parsed, lambda image: frozenset()):
        assert 1 <= finding.line <= text.count("\n") + 1
    _stands_as_a_graph(parsed)


def _stands_as_a_graph(parsed: Dockerfile) -> None:
    try:
        graph = Graph(parsed, platform_args(), host_network=False)
    except ContainerlabError:
        return
    needed = graph.needed(graph.target(""))
    assert [node.index for node in needed] == sorted({node.index for node in needed})


def _texts(size: int) -> st.SearchStrategy[str]:
    pieces = st.lists(_PIECES | st.text(max_size=6), max_size=size).map("".join)
    words = st.lists(_WORDS, min_size=3, max_size=3)
    lines = st.lists(st.tuples(_LINES, words).map(_filled), max_size=size // 3).map("\n".join)
    return pieces | lines.map("FROM scratch\n".__add__)


def _filled(given: tuple[str, list[str]]) -> str:
    line, words = given
    parts = line.split("{w}")
    return "".join(part + (words[index % 3] if index < len(parts) - 1 else "") for index, part in enumerate(parts))


@settings(max_examples=400, deadline=None)
@given(_texts(30))
def test_any_text_is_read_or_refused_at_a_line_of_its_own(text: str) -> None:
    is_read_or_refused(text)


@pytest.mark.slow
@settings(max_examples=100_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_texts(40))
def test_a_hundred_thousand_texts_are_read_or_refused(text: str) -> None:
    is_read_or_refused(text)


_N = 150_000

# Each took minutes, or for ever, by some way of reading them; the bound of a file is a megabyte.
LONG = {
    "substitutions inside one another": "FROM a\nENV x=" + "${a:-" * 5000 + "}" * 5000,
    "a time beyond all numbers": "FROM a\nHEALTHCHECK --interval=" + "9" * 400 + "s CMD x",
    "retries beyond all numbers": "FROM a\nHEALTHCHECK --retries=" + "9" * 5000 + " CMD x",
    "an id of many zeros": "FROM a\nRUN --mount=type=cache,target=/a,uid=" + "0" * 5000 + "1 x",
    "many instructions": "FROM a\n" + "USER x\n" * (_N // 7),
    "many stages": "".join(f"FROM a AS s{number}\n" for number in range(9000)),
    "many unknown sources": "FROM a\n" + "COPY --from=b a a\n" * 9000,
    "a directive with spaces inside": "# syntax=a" + " " * _N + "b\nFROM a\n",
    "an array without its end": "FROM a\nCMD [" + '"a",' * (_N // 4),
    "many flags": "FROM a\nRUN " + "--a " * (_N // 4) + "x",
    "many options of apt": "FROM a\nRUN apt-get " + "-a=b=c " * (_N // 7) + "x",
    "many calls of apt": "FROM a\nRUN " + "apt-get -q install x;" * (_N // 21),
    "apt as an option of apt": "FROM a\nRUN " + "apt -apt-get " * (_N // 13),
    "many removals": "FROM a\nRUN apt-get install x;" + "rm -x " * (_N // 6),
    "many calls of pip": "FROM a\nCOPY . .\nRUN " + "pip install a " * (_N // 14),
    "names that are nearly right": "FROM scratch\n"
    + "".join(f"ARG foobar{number}\n" for number in range(4000))
    + "".join(f"USER $fooba{number}x\n" for number in range(4000)),
    "many here-documents": "FROM a\nRUN " + "<<A " * (_N // 8) + "\n" + "A\n" * (_N // 8),
    "stars in a pattern": "ARG v=" + "a" * 2000 + "\nFROM ${v##" + "*a" * 60 + "b}\n",
}
_PROGRAM = """
from tests.build import test_dockerfile_fuzz as fuzz
for name, text in fuzz.LONG.items():
    print(name, flush=True)
    fuzz.is_read_or_refused(text)
"""
_HANGS_S = 200


def test_no_text_takes_for_ever() -> None:
    """In a process of its own, which can be ended; what it printed last is the one that hangs or crashes."""
    assert all(len(text) < MAX_BYTES for text in LONG.values())
    subprocess.run([sys.executable, "-c", _PROGRAM], timeout=_HANGS_S, check=True)


def test_an_error_shows_a_part_of_a_long_line() -> None:
    with pytest.raises(DockerfileError) as caught:
        parse("FROM a\nUSR " + "x" * 100_000)
    assert len(str(caught.value)) < 2000
