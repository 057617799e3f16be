"""Why a step is made again: the file, the value or the text that changed since the build before, by name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from containerlab.errors import BuildFailed
from tests.build.conftest import Built, Site

pytestmark = pytest.mark.root

APP = (
    "FROM base\nARG VERSION=1\nWORKDIR /app\nCOPY lib lib\nCOPY main.py extra* ./\n"
    "RUN echo $VERSION > /version\nENV mode=fast\n"
)


@pytest.fixture
def app(site: Site) -> Site:
    site.write(main_dot_py="main", lib__a_dot_py="a", lib__b_dot_py="b")
    return site


def reasons(built: Built) -> list[list[str]]:
    """Of each step that ended, FROM excepted."""
    built.ok()
    return [record["why"] for record in built.steps if not record["instruction"].startswith("FROM")]


def test_the_first_build_and_a_cached_one_have_nothing_to_explain(app: Site) -> None:
    assert reasons(app.build(APP)) == [[]] * 6
    assert reasons(app.build(APP)) == [[]] * 6


@pytest.mark.parametrize(
    ("change", "step", "why"),
    [
        (lambda site: site.write(lib__a_dot_py="changed"), 2, ["lib/a.py changed"]),
        (lambda site: site.write(lib__c_dot_py="new"), 2, ["lib/c.py is new"]),
        (lambda site: (site.context / "lib/b.py").unlink(), 2, ["lib/b.py is gone"]),
        (lambda site: (site.context / "lib/b.py").chmod(0o755), 2, ["lib/b.py: mode 644 → 755"]),
        (lambda site: site.write(main_dot_py="changed"), 3, ["main.py changed"]),
        (lambda site: site.write(extra="new"), 3, ["extra* is new"]),
        (
            lambda site: site.write(**{f"lib__n{number}": "x" for number in range(9)}),
            2,
            ["lib/n0 is new", "lib/n1 is new", "lib/n2 is new", "6 more changes of files"],
        ),
    ],
)
def test_a_file_is_named(app: Site, change: object, step: int, why: list[str]) -> None:
    app.build(APP).ok()
    change(app)  # type: ignore[operator]
    told = reasons(app.build(APP))
    assert told[step] == why
    assert told[:step] == [[]] * step
    assert all(each == ["the step above"] for each in told[step + 1 :])


def test_a_value_is_named_with_what_it_was(app: Site) -> None:
    app.build(APP).ok()
    assert reasons(app.build(APP, build_args={"VERSION": "2"}))[4] == ["ARG VERSION: 1 → 2"]
    copied = "FROM base\nARG name\nCOPY main.py /$name\n"
    app.build(copied, build_args={"name": "one"}).ok()
    assert reasons(app.build(copied, build_args={"name": "two"}))[1] == ["ARG name: one → two"]
    assert reasons(app.build("FROM base\nENV a=1\nRUN echo > /x\n"))[1] == ["the step above"]


@pytest.mark.parametrize(
    ("dockerfile", "step", "why"),
    [
        (
            APP.replace("> /version", "> /v"),
            4,
            ["the instruction's text changed, it was: RUN echo $VERSION > /version"],
        ),
        (APP.replace("ENV", "RUN echo new\nENV"), 5, ["the instruction is new"]),
        (APP + "RUN echo end > /end\n", 6, ["the instruction is new"]),
        (APP.replace("COPY lib lib\n", ""), 2, ["another step stood above it: COPY lib lib"]),
        (APP.replace("VERSION=1", "VERSION=3"), 0, ["the instruction's text changed, it was: ARG VERSION=1"]),
        (APP.replace("VERSION=1", "VERSION=3"), 4, ["ARG VERSION: 1 → 3"]),
    ],
)
def test_the_text_is_named(app: Site, dockerfile: str, step: int, why: list[str]) -> None:
    app.build(APP).ok()
    assert reasons(app.build(dockerfile))[step] == why


def test_another_base_and_an_earlier_stage_are_named(app: Site) -> None:
    app.build("FROM base\nENV x=1\n", tags=("other:1",)).ok()
    app.build(APP).ok()
    assert reasons(app.build(APP.replace("FROM base", "FROM other:1")))[0] == [
        "the base image is another: base → other:1"
    ]
    app.build("FROM base\nENV x=2\n", tags=("other:1",)).ok()
    app.build(APP.replace("FROM base", "FROM other:1")).ok()
    app.build("FROM base\nENV x=3\n", tags=("other:1",)).ok()
    told = reasons(app.build(APP.replace("FROM base", "FROM other:1")))
    assert told[0] == ["the base image is another than last time (other:1)"]
    assert told[1] == ["the step above"]


def test_a_file_of_a_stage_and_of_a_mount_is_named(app: Site) -> None:
    stages = (
        "FROM base AS make\nCOPY lib /lib\nRUN mkdir /out && cat /lib/* > /out/all && echo same > /out/same\n"
        "FROM base\nCOPY --from=make /out /out\nRUN --mount=from=make,source=out,target=/m cat /m/all > /seen\n"
        "RUN --mount=target=/ctx cat /ctx/main.py > /main\n"
    )
    app.build(stages).ok()
    app.write(lib__a_dot_py="changed")
    told = reasons(app.build(stages))
    assert told[:3] == [["lib/a.py changed"], ["the step above"], ["out/all changed"]]
    assert told[3] == ["the step above", "out/all changed"]
    assert told[4][0] == "the step above"
    app.write(main_dot_py="changed")
    assert reasons(app.build(stages))[4] == ["main.py changed"]


def test_a_step_that_failed_or_was_pruned_says_so(app: Site) -> None:
    failing = "FROM base\nCOPY main.py /main.py\nRUN --mount=type=tmpfs,target=/t test -e /main.py && exit 3\nENV a=b\n"
    assert isinstance(app.build(failing).error, BuildFailed)
    assert isinstance(app.build(failing).error, BuildFailed)
    assert app.build(failing).steps[2]["why"] == ["it did not finish last time"]
    told = reasons(app.build(failing.replace("exit 3", "exit 0")))
    assert told[1][0].startswith("the instruction's text changed, it was: RUN --mount")
    image = app.build("FROM base\nCOPY lib /lib\n", tags=("gone:1",)).ok()
    app.images.untag("gone:1")
    app.images.remove(image.id)
    assert reasons(app.build("FROM base\nCOPY lib /lib\n", tags=("gone:2",))) == [["its layer is no longer kept"]]


def test_builds_are_compared_by_their_name_whatever_the_tag(app: Site) -> None:
    app.build(APP, tags=("one:1",)).ok()
    app.build("FROM base\nRUN echo > /else\n", tags=("two:1",)).ok()
    app.write(main_dot_py="changed")
    assert reasons(app.build(APP, tags=("one:2",)))[3] == ["main.py changed"]


def test_no_cache_is_no_news(app: Site) -> None:
    app.build(APP).ok()
    assert reasons(app.build(APP, no_cache=True)) == [[]] * 6


def test_a_reason_is_told_before_the_step_runs(app: Site) -> None:
    app.build(APP).ok()
    built = app.build(APP, build_args={"VERSION": "9"})
    records = [each["containerlab"] for each in built.messages if "step" in each.get("containerlab", {})]
    run = [record for record in records if record["instruction"].startswith("RUN")]
    assert [(record["status"], record["why"]) for record in run] == [
        ("start", []),
        ("start", ["ARG VERSION: 1 → 9"]),
        ("done", ["ARG VERSION: 1 → 9"]),
    ]


def test_a_name_that_is_no_utf8_is_told_in_ascii(app: Site) -> None:
    odd = Path(os.fsdecode(os.fsencode(app.context / "lib") + b"/odd\xff"))
    odd.write_text("1")
    app.build(APP).ok()
    odd.write_text("2")
    built = app.build(APP)
    assert reasons(built)[2] == ["lib/odd\\xff changed"]
    json.dumps(built.messages, ensure_ascii=False).encode()
