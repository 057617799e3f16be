"""The verbs that show what the lab room draws."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from containerlab.commands.build import BuildOptions, build
from containerlab.commands.context import Context
from containerlab.commands.where import Where
from containerlab.errors import NotFound

IMAGE = "lab/busybox"
Verb = Callable[[str], Any]
own_engine = pytest.mark.skipif(bool(os.environ.get("DOCKER_HOST")), reason="only the kit's own engine tells it")


def test_layers_says_what_two_images_share(context: Context, verb: Verb, name: str) -> None:
    build(
        context,
        BuildOptions(dockerfile=f"FROM {IMAGE}\nRUN echo {name} > /x\n".encode(), tag=(f"{name}:1",), network="none"),
    )
    try:
        table = verb(f"layers {IMAGE} {name}:1")
        assert [row["images"] for row in table] == [[IMAGE, f"{name}:1"], [f"{name}:1"]]
        assert table[0]["size"] > table[1]["size"]
        assert str(table).startswith("LAYER")
        context.notebook = True
        shown = verb(f"layers {IMAGE} {name}:1")._repr_mimebundle_()
        assert "<svg" in shown["text/html"] and "<table" in shown["text/html"]
        assert "<svg" not in verb(f"layers --table {IMAGE}")._repr_mimebundle_()["text/html"]
    finally:
        context.client.api.remove_image(f"{name}:1")


@own_engine
def test_a_timeline_names_the_kernel_steps(context: Context, verb: Verb, name: str) -> None:
    verb(f"create --network none --name {name} {IMAGE} true")
    assert "not been started" in verb(f"timeline {name}").calm()
    verb(f"start -a {name}")
    table = verb(f"timeline {name}")
    steps = [row["step"] for row in table]
    assert steps[0] == "request" and steps[-1] == "exec" and "pivot_root" in steps
    assert all(row["took_us"] >= 0 for row in table)
    assert table[-1]["at_us"] == pytest.approx(sum(row["took_us"] for row in table))
    context.notebook = True
    assert "<svg" in verb(f"timeline {name}")._repr_mimebundle_()["text/html"]


@own_engine
def test_memory_is_what_the_host_pays(verb: Verb, name: str) -> None:
    verb(f"run -d --network none --name {name} {IMAGE} sleep 100")
    row = verb(f"memory {name}")[0]
    assert row["backend"] == "native" and 0 < row["pss_bytes"] < 20_000_000
    assert name in [row["name"] for row in verb("memory")]


@own_engine
def test_where_tells_the_line_that_made_or_removed_a_file(context: Context, verb: Verb, name: str) -> None:
    text = f"FROM {IMAGE}\nRUN echo {name} > /x\nRUN rm /x; echo '<b>' > /y\n"
    build(context, BuildOptions(dockerfile=text.encode(), tag=(f"{name}:1",), network="none"))
    try:
        found = verb(f"where {name}:1 /y")
        assert str(found) == f"/y in {name}:1 was made by RUN rm /x; echo '<b>' > /y (Dockerfile:3)."
        gone = verb(f"where {name}:1 /x")
        assert str(gone).startswith(f"/x is not in {name}:1: it was removed by RUN rm /x;")
        assert "added file" in str(gone) and "Dockerfile:2" in str(gone)
        assert "<b>" not in found._repr_mimebundle_()["text/html"]
        assert gone.to_dict()["removed_by"]["line"] == 3 and gone.to_dict()["name"] == f"{name}:1"
        assert "ADD busybox" in str(verb(f"where {IMAGE} /bin/sh"))
        with pytest.raises(NotFound, match="no layer"):
            verb(f"where {IMAGE} /nothing")
    finally:
        context.client.api.remove_image(f"{name}:1")


@own_engine
def test_where_says_a_copy_in_the_dockerfiles_words(context: Context, verb: Verb, name: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("1\n")
    text = f"FROM {IMAGE}\nWORKDIR /srv\nCOPY --chmod=600 \\\n  app.py .\n"
    build(context, BuildOptions(context=tmp_path, dockerfile=text.encode(), tag=(f"{name}:1",)))
    try:
        found = verb(f"where {name}:1 /srv/app.py")
        assert str(found) == f"/srv/app.py in {name}:1 was made by COPY --chmod=600 app.py . (Dockerfile:3)."
        # Another engine's history alone has the digests; they say nothing to a reader.
        made = {**found.facts["made_by"], "instruction": "", "line": 0}
        told = Where(f"{name}:1", {**found.facts, "made_by": made, "history": [made]})
        assert str(told) == f"/srv/app.py in {name}:1 was made by COPY /srv/."
    finally:
        context.client.api.remove_image(f"{name}:1")


@own_engine
def test_layers_says_what_an_image_wastes_and_nothing_where_it_does_not(
    context: Context, verb: Verb, name: str
) -> None:
    text = f"FROM {IMAGE}\nRUN head -c 3000000 /dev/zero > /big; echo {name}\nRUN rm /big\n"
    build(context, BuildOptions(dockerfile=text.encode(), tag=(f"{name}:1",), network="none"))
    try:
        table = verb(f"layers {IMAGE} {name}:1")
        assert table.to_dict()["wasted"] == {f"{name}:1": 3_000_000}
        assert str(table).endswith(
            f"{name}:1 wastes 3MB: written in one layer, removed or written again in a later one."
        )
        tree = verb(f"layers --tree {IMAGE} {name}:1")
        assert [row["wasted"] for row in tree.to_dict()["layers"]] == [0, 3_000_000, 0]
        assert "3MB wasted" in tree._repr_mimebundle_()["text/html"]
        assert "wastes 3MB" in verb(f"layers --table {name}:1")._repr_mimebundle_()["text/html"]
        context.notebook = True
        shown = verb(f"layers {name}:1")._repr_mimebundle_()
        assert "wastes 3MB" in shown["text/plain"] and "written, then removed" in shown["text/plain"]
        clean = verb(f"layers {IMAGE}")
        assert "waste" not in str(clean) and "wasted" not in clean.to_dict()
    finally:
        context.client.api.remove_image(f"{name}:1")
