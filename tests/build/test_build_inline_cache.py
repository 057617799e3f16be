"""--cache-from: what a store that has built nothing takes from an image, and what it doesn't."""

from __future__ import annotations

import msgspec
import pytest

from containerlab.build.inline_cache import ARGUMENT
from containerlab.images import Image, ImageConfig
from tests.build.conftest import Built, Site

pytestmark = pytest.mark.root

DOCKERFILE = """FROM base AS tools
RUN echo slow > /slow
FROM tools
ENV x=1
COPY a /a
RUN true
"""
INLINE = {ARGUMENT: "1"}


@pytest.fixture
def files(site: Site) -> Site:
    """A store whose only trace of the build is its image: it knows no step."""
    site.write(a="a")
    site.build(DOCKERFILE, tags=("app:1",), build_args=INLINE).ok()
    _forget(site)
    return site


def _forget(site: Site) -> None:
    site.database.rows("DELETE FROM build_steps")


def _rewritten(site: Site, name: str, **changes: object) -> Image:
    """An image of the same layers with other fields in its config."""
    image = site.images.resolve("app:1")
    config: ImageConfig = msgspec.structs.replace(image.config, **changes)
    return site.images.create(config, image.chain_id, name)


def test_every_step_of_the_named_image_is_taken_over(files: Site) -> None:
    before = files.images.resolve("app:1")
    again = files.build(DOCKERFILE, cache_from=("app:1",), build_args=INLINE)
    assert again.cached == [False, True, False, True, True, True]
    assert "[Warning]" not in again.text
    assert again.ok().id == before.id


def test_without_it_nothing_is_and_no_record_is_kept(files: Site) -> None:
    files.build(DOCKERFILE, cache_from=("app:1",)).ok()
    assert not any(files.build(DOCKERFILE).cached)


def test_a_changed_file_is_executed_and_so_is_what_follows(files: Site) -> None:
    files.write(a="changed")
    again = files.build(DOCKERFILE, cache_from=("app:1",))
    assert again.cached == [False, True, False, True, False, False]
    assert files.read(again.ok(), "/a") == "changed"


def test_no_cache_goes_first(files: Site) -> None:
    assert not any(files.build(DOCKERFILE, cache_from=("app:1",), no_cache=True).cached)


def test_records_are_written_when_asked_and_never_inherited(files: Site) -> None:
    assert files.images.resolve("app:1").config.cache
    assert files.build("FROM app:1\nENV y=1\n").ok().config.cache == []
    told = files.build(DOCKERFILE, build_args=INLINE).text
    assert ARGUMENT not in told, "it is no argument that nobody uses"


@pytest.mark.parametrize(("name", "words"), [("plain:1", "carries no cache"), ("gone:1", "No such image: gone:1")])
def test_an_image_that_is_of_no_use_is_told_and_left_out(files: Site, name: str, words: str) -> None:
    _rewritten(files, "plain:1", cache=[])
    again: Built = files.build(DOCKERFILE, cache_from=(name, "app:1"))
    assert f"[Warning] --cache-from={name} is left out: " in again.text and words in again.text
    assert again.cached == [False, True, False, True, True, True]


def test_a_record_counts_only_on_the_layers_that_it_was_made_on(files: Site) -> None:
    """One that claims a step's key for a layer which stands on others, or that isn't there."""
    steps = files.images.resolve("app:1").config.cache
    wrong = [msgspec.structs.replace(step, layers=step.layers + 1) for step in steps]
    beyond = [msgspec.structs.replace(step, layers=step.layers + 99) for step in steps]
    none = [msgspec.structs.replace(step, layers=0, made_layer=True) for step in steps]
    for number, cache in enumerate((wrong, beyond, none)):
        _rewritten(files, f"evil:{number}", cache=cache)
        assert not any(files.build(DOCKERFILE, cache_from=(f"evil:{number}",)).cached)
        _forget(files)
