"""Broken Dockerfiles: each ``broken/CASE/Dockerfile`` is refused with ``error``, to the column."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containerlab.build.dockerfile import parse
from containerlab.build.dockerfile.parser import MAX_BYTES
from containerlab.errors import DockerfileError

BROKEN = Path(__file__).parent / "broken"

_PIECES = (
    st.sampled_from(
        ["FROM busybox\n", "RUN ", "COPY ", "ENV ", "a=b ", "<<EOF ", "EOF\n", "\\\n", "# x\n", "\n", "[", '"', "'"]
    )
    | st.sampled_from(["${", "}", "$x", " AS ", "--from=", "ONBUILD ", "HEALTHCHECK ", "CMD ", "]", ",", "é", "\r\n"])
    | st.sampled_from(
        ["--mount=type=cache,", "target=/x ", "id=", "ADD ", "ARG ", "%%", "##", "//", ":-", "SHELL ", "--"]
    )
)


@pytest.mark.parametrize("case", sorted(path.name for path in BROKEN.iterdir()))
def test_a_broken_dockerfile_is_refused_at_its_line_with_what_was_expected(case: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse((BROKEN / case / "Dockerfile").read_bytes())
    assert str(caught.value) + "\n" == (BROKEN / case / "error").read_text()
    assert caught.value.line > 0


def test_a_dockerfile_beyond_the_bound_is_refused() -> None:
    with pytest.raises(DockerfileError, match="at most"):
        parse(b"#" * (MAX_BYTES + 1))


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=30).map("".join))
def test_any_text_parses_or_is_refused_with_a_line_of_its_own(text: str) -> None:
    _parses_or_is_refused(text)


def _parses_or_is_refused(text: str) -> None:
    try:
        parsed = parse(text.encode("utf-8", "surrogatepass"))
    except DockerfileError as error:
        assert 1 <= error.line <= max(text.count("\n") + 1, 1)
        return
    lines = [each.line for stage in parsed.stages for each in (stage.from_, *stage.instructions)]
    assert lines == sorted(lines)
    for stage in parsed.stages:
        assert stage.from_.image


@pytest.mark.slow
@settings(max_examples=100_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_PIECES | st.text(max_size=6), max_size=40).map("".join))
def test_any_text_parses_or_is_refused_whatever_it_holds(text: str) -> None:
    _parses_or_is_refused(text)
