"""The stages of a build, from the engine's messages: their states, and the path that the build's time is made of."""

from __future__ import annotations

from typing import Any

import pytest

from containerlab.commands.build import Built
from containerlab.commands.build_stages import longest_path, read_stages, stages_sentence
from containerlab.commands.build_steps import BuildLog
from containerlab.errors import HostLacks

GRAPH = [
    ("deps", "lab/python", "", [], True),
    ("assets", "lab/busybox", "", [], True),
    ("test", "", "deps", [], False),
    ("build", "", "deps", [], True),
    ("final", "lab/busybox", "", ["assets", "build"], True),
]
# Stage, instruction, when it began, how long it took, cached, the stages that it reads.
STEPS = [
    ("deps", "FROM lab/python", 0.0, 0.001, False, ()),
    ("deps", "COPY list .", 0.001, 0.01, True, ()),
    ("assets", "FROM lab/busybox", 0.0, 0.001, False, ()),
    ("assets", "RUN make", 0.01, 1.4, False, ()),
    ("build", "FROM deps", 0.02, 0.001, False, ("deps",)),
    ("build", "COPY . .", 0.03, 0.2, True, ()),
    ("build", "RUN make", 0.23, 2.0, False, ()),
    ("final", "FROM lab/busybox", 0.0, 0.001, False, ()),
    ("final", "COPY --from=assets /a /a", 1.42, 0.1, False, ("assets",)),
    ("final", "COPY --from=build /b /b", 2.23, 0.1, False, ("build",)),
]


def log_of(steps: list[Any] = STEPS, graph: list[Any] = GRAPH) -> BuildLog:
    log = BuildLog()
    keys = ("stage", "base", "starts_from", "copies_from", "needed")
    stages = [dict(zip(keys, each, strict=True), line=1, target=each[0] == "final") for each in graph]
    log.feed({"containerlab": {"stages": stages}})
    for number, (stage, instruction, at, seconds, cached, reads) in enumerate(steps, 1):
        facts = {"step": number, "total": len(steps), "stage": stage, "line": number, "instruction": instruction}
        facts |= {"at": at, "seconds": seconds, "cached": cached, "reads": list(reads), "status": "done"}
        log.feed({"containerlab": facts})
    log.finish()
    return log


def test_each_stage_says_what_became_of_it() -> None:
    told = {stage.name: (stage.state, stage.words()) for stage in read_stages(log_of())}
    assert told == {
        "deps": ("cached", "cached, 0.01 s"),
        "assets": ("built", "built in 1.4 s"),
        "test": ("skipped", "skipped: the target doesn't need it"),
        "build": ("built", "built in 2.2 s, 1 of 2 steps cached"),
        "final": ("built", "built in 0.20 s"),
    }


def test_the_longest_path_is_what_the_target_waited_for() -> None:
    assert longest_path(log_of()) == ["deps", "build", "final"]
    slow_assets = [(*step[:2], 3.0, 0.1, *step[4:]) if step[1].endswith("/a /a") else step for step in STEPS]
    slow_assets = [(*step[:3], 2.9, *step[4:]) if step[0] == "assets" and step[1] == "RUN make" else step
                   for step in slow_assets]  # fmt: skip
    slow_assets[-1] = ("final", "COPY --from=build /b /b", 3.1, 0.1, False, ("build",))
    assert longest_path(log_of(slow_assets)) == ["assets", "final"]


def test_a_sentence_says_the_same() -> None:
    assert stages_sentence(read_stages(log_of())) == (
        "5 stages: 3 built, 1 cached, 1 left out (test); the longest path is deps → build → final, 2.3 s."
    )


def test_a_result_of_several_stages_shows_their_picture() -> None:
    built = Built("sha256:" + "a" * 64, ["app:1"], log_of())
    bundle = built._repr_mimebundle_()
    assert "<svg" in bundle["text/html"] and "Built app:1 in 10 steps" in bundle["text/html"]
    assert "longest path" in bundle["text/plain"] and bundle["image/png"].startswith(b"\x89PNG")
    assert built.stages().data["stages"][2]["state"] == "skipped"
    assert str(built).splitlines()[1].startswith("5 stages: 3 built")
    assert [stage["name"] for stage in built.to_dict()["stages"]] == [each[0] for each in GRAPH]


def test_one_stage_is_no_picture_and_dockers_engine_has_none() -> None:
    one = Built("sha256:" + "a" * 64, [], log_of(STEPS[:2], [GRAPH[0]]))
    assert "<svg" not in one._repr_mimebundle_()["text/html"]
    assert "\n" not in str(one)
    with pytest.raises(HostLacks, match="doesn't tell"):
        Built("sha256:" + "a" * 64, [], BuildLog()).stages()
