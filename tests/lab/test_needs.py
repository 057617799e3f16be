"""What a cell asks of the host, of an engine that is scripted."""

from __future__ import annotations

import pytest

from containerlab.errors import UsageError
from containerlab.lab.needs import NEEDS, lacks
from tests.lab.test_views import scripted


@pytest.mark.parametrize("word", NEEDS)
def test_a_host_without_namespaces_lacks_what_only_they_give(word: str) -> None:
    assert lacks(scripted(b"", rung="proot"), word) == word


@pytest.mark.parametrize("rung", ["root", "rootless-ids", "rootless-one-id", ""])
def test_other_rungs_and_another_engine_lack_nothing(rung: str) -> None:
    assert lacks(scripted(b"", rung=rung), "network namespaces") == ""


@pytest.mark.parametrize("line", ["", "networks", "network gpu"])
def test_a_word_that_is_no_need_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="there is no such need"):
        lacks(scripted(b"", rung="proot"), line)
