"""Broken Dockerfiles: each ``broken/CASE/Dockerfile`` is refused with ``error``, to the column."""

from __future__ import annotations

from pathlib import Path

import pytest

from containerlab.build.dockerfile import parse
from containerlab.build.dockerfile.parser import MAX_BYTES
from containerlab.errors import DockerfileError

BROKEN = Path(__file__).parent / "broken"


@pytest.mark.parametrize("case", sorted(path.name for path in BROKEN.iterdir()))
def test_a_broken_dockerfile_is_refused_at_its_line_with_what_was_expected(case: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse((BROKEN / case / "Dockerfile").read_bytes())
    assert str(caught.value) + "\n" == (BROKEN / case / "error").read_text()
    assert caught.value.line > 0


def test_a_dockerfile_beyond_the_bound_is_refused() -> None:
    with pytest.raises(DockerfileError, match="at most"):
        parse(b"#" * (MAX_BYTES + 1))
