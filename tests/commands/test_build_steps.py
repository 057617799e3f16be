"""A build's steps, from Docker's text and from the engine's own messages."""

from __future__ import annotations

from typing import Any

from containerlab.commands.build_steps import BuildLog

DOCKER: list[dict[str, Any]] = [
    {"stream": "Step 1/3 : FROM lab/busybox"},
    {"stream": "\n"},
    {"stream": " ---> 70848f071e76\n"},
    {"stream": "Step 2/3 : RUN echo one"},
    {"stream": "\n"},
    {"stream": " ---> Using cache\n"},
    {"stream": " ---> b402858552a2\n"},
    {"stream": "Step 3/3 : RUN echo two"},
    {"stream": "\n"},
    {"stream": " ---> Running in 0123456789ab\n"},
    {"stream": "two\n"},
    {"stream": "Removing intermediate container 0123456789ab\n"},
    {"stream": " ---> c402858552a2\n"},
    {"aux": {"ID": "sha256:c402"}},
    {"stream": "Successfully built c402858552a2\n"},
    {"stream": "Successfully tagged app:1\n"},
]


def fed(messages: list[dict[str, Any]]) -> BuildLog:
    log = BuildLog()
    for message in messages:
        log.feed(message)
    log.finish()
    return log


def test_steps_are_read_from_dockers_text() -> None:
    log = fed(DOCKER)
    assert [(step.number, step.total, step.instruction) for step in log.steps] == [
        (1, 3, "FROM lab/busybox"),
        (2, 3, "RUN echo one"),
        (3, 3, "RUN echo two"),
    ]
    assert [step.cached for step in log.steps] == [False, True, False]
    assert [step.status for step in log.steps] == ["done"] * 3
    assert log.steps[2].output == "two\n"
    assert log.image == "sha256:c402"


def test_the_engines_own_messages_say_line_time_and_size() -> None:
    first = {"step": 1, "total": 2, "line": 2, "instruction": "FROM lab/busybox"}
    second = {"step": 2, "total": 2, "line": 4, "instruction": "RUN echo one"}
    log = fed(
        [
            {"stream": "Step 1/2 : FROM lab/busybox\n"},
            {"containerlab": {**first, "status": "start", "seconds": 0.0, "size": 0}},
            {"containerlab": {**first, "status": "done", "cached": False, "seconds": 0.001, "size": 0}},
            {"stream": " ---> 70848f071e76\n"},
            {"stream": "Step 2/2 : RUN echo one\n"},
            {"containerlab": {**second, "status": "start", "seconds": 0.0, "size": 0}},
            {"stream": "Step 2/2 : RUN echo one\none\n"},
            {"containerlab": {**second, "status": "done", "cached": False, "seconds": 0.25, "size": 1200}},
        ]
    )
    assert [(step.number, step.line, step.seconds) for step in log.steps] == [(1, 2, 0.001), (2, 4, 0.25)]
    assert log.steps[0].output == ""
    assert log.steps[1].output == "Step 2/2 : RUN echo one\none\n"
    assert log.steps[1].facts() == "0.25 s, 1.2kB"


def test_a_failure_marks_its_step() -> None:
    log = fed([*DOCKER[:11], {"errorDetail": {"code": 4, "message": "it returned 4"}, "error": "it returned 4"}])
    assert log.error == "it returned 4" and log.error_code == 4
    assert log.steps[-1].status == "error" and log.steps[-1].facts() == "FAILED"


def test_a_failure_that_the_engine_told_of_its_step_is_written_once() -> None:
    step = {"step": 1, "total": 1, "line": 2, "instruction": "RUN false"}
    log = fed(
        [
            {"containerlab": {**step, "status": "start"}},
            {"containerlab": {**step, "status": "error", "seconds": 0.1}},
            {"errorDetail": {"code": 1, "message": "it returned 1"}, "error": "it returned 1"},
        ]
    )
    assert log.text().count("FAILED") == 1


def test_the_text_only_grows() -> None:
    log = BuildLog()
    before = ""
    for message in DOCKER:
        log.feed(message)
        assert log.text().startswith(before)
        before = log.text()
    assert "CACHED" in before and "Removing intermediate" not in before


def test_a_steps_output_is_bounded() -> None:
    log = fed([DOCKER[0], *({"stream": "x" * 10_000 + "\n"} for _ in range(60))])
    assert len(log.steps[0].output) <= 256 * 1024


def test_a_program_that_prints_like_a_builder_is_not_a_step() -> None:
    log = fed([*DOCKER[:10], {"stream": "Step 2/9 : not me\n"}, {"stream": "Step 9/3 : nor me\n"}, *DOCKER[11:]])
    assert [step.number for step in log.steps] == [1, 2, 3]
    assert log.steps[2].output == "Step 2/9 : not me\nStep 9/3 : nor me\n"


FINDING = {
    "rule": "CdInRun", "level": "advice", "line": 2, "message": "cd /x in RUN", "why": "It ends.",
    "better": "WORKDIR /x\nRUN make",
}  # fmt: skip


def test_what_the_lint_found_stands_at_the_end_of_the_text_and_is_no_step() -> None:
    log = fed([{"containerlab": {"lint": {"file": "Dockerfile", "findings": [FINDING]}}}, *DOCKER])
    assert len(log.steps) == 3 and [finding.line for finding in log.findings] == [2]
    assert log.text().endswith(
        "The Dockerfile could be better in 1 place:\n"
        "  line 2: cd /x in RUN (CdInRun)\n    It ends.\n    > WORKDIR /x\n    > RUN make\n"
    )
    log.finish()
    assert log.text().count("could be better") == 1


def test_an_own_message_that_is_not_known_is_no_step() -> None:
    assert fed([{"containerlab": {"what": 1}}, *DOCKER]).text() == fed(DOCKER).text()


def test_a_step_says_its_layer_and_what_it_is_not_cached_for() -> None:
    step = {"step": 1, "total": 1, "line": 2, "instruction": "COPY . /"}
    why, layer = ["main.py changed"], "sha256:" + "ab12" * 16
    log = fed(
        [
            {"containerlab": {**step, "status": "start"}},
            {"containerlab": {**step, "status": "start", "why": why}},
            {"containerlab": {**step, "status": "done", "seconds": 0.25, "size": 12, "layer": layer, "why": why}},
        ]
    )
    assert log.steps[0].reason() == "not cached: main.py changed"
    assert log.steps[0].made() == "layer ab12ab12ab12"
    assert log.text() == "Step 1/1: COPY . /\n  not cached: main.py changed\n  0.25 s, 12B, layer ab12ab12ab12\n"
