"""Several stages: a graph of which only what is needed is built, side by side, and copied from by content."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from containerlab.errors import BuildFailed, InvalidParameter
from tests.build.conftest import Site

pytestmark = pytest.mark.root

TWO = (
    "FROM base AS make\nRUN echo made > /made && mkdir -p /d/e && echo x > /d/e/x\n"
    "FROM base\nCOPY --from=make /made /out/made\nCOPY --from=0 /d /d\n"
)


def test_files_are_copied_from_a_stage_by_its_name_or_number(site: Site) -> None:
    built = site.build(TWO, tags=("two:1",))
    image = built.ok()
    assert (site.read(image, "/out/made"), site.read(image, "/d/e/x")) == ("made\n", "x\n")
    assert "made" not in site.tree(image, "/")
    assert [record["stage"] for record in built.steps] == ["make", "make", "1", "1", "1"]
    assert [record["step"] for record in built.steps] == [1, 2, 3, 4, 5]
    assert "Step 5/5 : COPY --from=0 /d /d" in built.text


def test_files_are_copied_from_an_image(site: Site) -> None:
    site.build("FROM base\nRUN echo other > /o\n", tags=("other:1",)).ok()
    assert site.read(site.build("FROM scratch\nCOPY --from=other:1 /o /o\n").ok(), "/o") == "other\n"


def test_what_the_target_does_not_need_is_not_built(site: Site) -> None:
    dockerfile = "FROM base AS broken\nRUN exit 1\nFROM base AS good\nRUN echo > /g\nFROM broken AS last\n"
    built = site.build(dockerfile, target="good")
    built.ok()
    assert [record["stage"] for record in built.steps] == ["good", "good"]
    assert site.build(dockerfile, target="GOOD").ok().id == site.build(dockerfile, target="1").ok().id
    assert isinstance(site.build(dockerfile).error, BuildFailed)
    unknown = site.build(dockerfile, target="bad").error
    assert isinstance(unknown, InvalidParameter)
    assert "broken, good, last" in unknown.hint


def test_a_stage_starts_from_another_with_its_settings_arguments_and_triggers(site: Site) -> None:
    image = site.build(
        "FROM base AS a\nARG v=1\nENV e=env\nWORKDIR /w\nUSER ana\nUSER root\nONBUILD RUN echo on > /on\n"
        "FROM a\nRUN echo $v $e $(pwd) > /out\n"
    ).ok()
    assert site.read(image, "/out") == "1 env /w\n"
    assert site.read(image, "/on") == "on\n"
    assert image.config.config.OnBuild is None


def test_arguments_before_from_reach_only_the_stage_that_declares_them(site: Site) -> None:
    image = site.build(
        "ARG name=base\nARG x=global\nFROM $name AS a\nRUN echo [$x] > /x\nFROM ${name:-none}\nARG x\n"
        "COPY --from=a /x /before\nRUN echo [$x] > /x\n"
    ).ok()
    assert (site.read(image, "/before"), site.read(image, "/x")) == ("[]\n", "[global]\n")


def test_independent_stages_run_side_by_side_and_read_one_after_the_other(site: Site) -> None:
    dockerfile = (
        "FROM base AS a\nRUN --mount=type=cache,target=/c echo a1; touch /c/a; until test -e /c/b; do sleep 0.1; done;"
        " echo a2; echo > /a\n"
        "FROM base AS b\nRUN --mount=type=cache,target=/c echo b1; touch /c/b; until test -e /c/a; do sleep 0.1; done;"
        " echo b2; echo > /b\n"
        "FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
    )
    built = site.build(dockerfile)
    built.ok()
    places = [built.text.index(word) for word in ("\na1\n", "\na2\n", "\nb1\n", "\nb2\n", "Step 5/7")]
    assert places == sorted(places)
    assert [record["step"] for record in built.steps] == [1, 2, 3, 4, 5, 6, 7]


def test_a_failing_stage_ends_the_others_and_tells_its_own_words(site: Site) -> None:
    before = site.children()
    built = site.build(
        "FROM base AS slow\nRUN sleep 60\nFROM base AS bad\nRUN echo words of bad; exit 3\n"
        "FROM base\nCOPY --from=slow /a /\nCOPY --from=bad /b /\n"
    )
    assert isinstance(built.error, BuildFailed)
    assert (built.error.line, built.error.exit_code) == (4, 3)
    assert "words of bad" in built.text
    assert built.messages[-1]["errorDetail"]["code"] == 3
    assert site.children() == before
    assert list((site.store / "builds").iterdir()) == []


def test_a_copy_from_a_stage_is_cached_by_what_it_reads(site: Site) -> None:
    dockerfile = (
        "FROM base AS a\nARG v\nRUN echo same > /same; echo $v > /differs\nFROM base\n"
        "COPY --from=a /same /s\nRUN cat /s > /t\nCOPY --from=a /differs /d\n"
    )
    site.build(dockerfile, build_args={"v": "1"}).ok()
    again = site.build(dockerfile, build_args={"v": "2"})
    assert site.read(again.ok(), "/d") == "2\n"
    assert again.cached == [False, True, False, False, True, True, False]


def test_copies_keep_owners_modes_and_links_of_the_stage(site: Site) -> None:
    image = site.build(
        "FROM base AS a\nRUN mkdir /d && echo > /d/f && chown 5:6 /d/f && chmod 4711 /d/f && ln -s /etc/passwd /d/l"
        " && ln -s d /dl\nFROM base\nCOPY --from=a /d /d\nCOPY --from=a --chown=ana /d/f /mine\n"
        "COPY --from=a /dl/f /via\nCOPY --from=a /d/l /passwd\n"
    ).ok()
    status = site.stat(image, "/d/f")
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (5, 6, 0o4711)
    assert stat.S_ISLNK(site.stat(image, "/d/l").st_mode)
    assert site.stat(image, "/mine").st_uid == 1000
    assert stat.S_ISREG(site.stat(image, "/passwd").st_mode)
    assert site.stat(image, "/via").st_uid == 5


def test_a_link_of_a_stage_never_leads_to_the_host(site: Site, tmp_path: Path) -> None:
    (tmp_path / "canary").write_text("host")
    hostile = f"FROM base AS a\nRUN ln -s {tmp_path}/canary /c; ln -s / /r\nFROM base\n"
    missing = site.build(hostile + "COPY --from=a /c /c\n")
    assert "file not found in --from=a" in str(missing.error)
    escape = site.build(hostile + f"COPY --from=a /r/../../../..{tmp_path}/canary /c\n")
    assert escape.image is None
    assert "host" not in escape.text


def test_a_file_that_a_stage_has_not_is_named(site: Site) -> None:
    built = site.build("FROM base AS a\nFROM base\nCOPY --from=a /none /x\n")
    assert "COPY failed: file not found in --from=a: stat none" in str(built.error)
    assert built.messages[-1]["error"] == str(built.error)


def test_link_copies_without_looking_at_the_stage(site: Site) -> None:
    site.write(f="f")
    image = site.build("FROM base\nRUN ln -s /bin /lnk\nCOPY --link f /lnk/f\nCOPY --link f /tmp/f\n").ok()
    assert site.read(image, "/lnk/f") == "f"
    assert "bin/f" not in site.tree(image, "/")
    assert stat.S_IMODE(site.stat(image, "/tmp").st_mode) == 0o1777


def test_parents_keep_the_path_and_exclude_leaves_out(site: Site) -> None:
    site.write(a__b__c_dot_txt="c", a__b__d_dot_log="d", a__e_dot_txt="e")
    image = site.build(
        "FROM base\nCOPY --parents a/b/c.txt a/e.txt /p/\nCOPY --parents a/./b/c.txt /q/\nCOPY --parents **/*.log /r/\n"
        "COPY --exclude=**/*.log --exclude=b/c.txt a /s/\n"
    ).ok()
    names = set(site.tree(image, "/"))
    assert {"p/a/b/c.txt", "p/a/e.txt", "q/b/c.txt", "r/a/b/d.log", "s/e.txt"} <= names
    assert not {"s/b/d.log", "s/b/c.txt", "p/a/b/d.log"} & names


def test_a_trigger_may_copy_from_an_earlier_stage(site: Site) -> None:
    site.build("FROM base\nONBUILD COPY --from=make /m /m\n", tags=("parent:1",)).ok()
    image = site.build("FROM base AS make\nRUN echo m > /m\nFROM parent:1\n").ok()
    assert site.read(image, "/m") == "m\n"


def test_the_same_sources_and_epoch_make_the_same_image_in_another_store(site: Site, tmp_path: Path) -> None:
    dockerfile = (
        "FROM base AS a\nRUN echo x > /x; mkdir /d; hostname > /h || true\nWORKDIR /w\n"
        "FROM base\nCOPY --from=a /x /x\nCOPY . /all/\nRUN touch /tmp/y; rm /bin/yes\nLABEL a=b\n"
    )
    ids = []
    for number in range(2):
        folder = tmp_path / f"s{number}"
        folder.mkdir()
        other = Site(folder)
        other.start_supervisor()
        other.add_base()
        try:
            other.write(f="f", d__g="g")
            time.sleep(1.1 * number)
            built = other.build(dockerfile, build_args={"SOURCE_DATE_EPOCH": "1700000000"})
            ids.append(built.ok().id)
            assert built.ok().created == "2023-11-14T22:13:20Z"
            assert "consumed" not in built.text
        finally:
            other.close()
    assert ids[0] == ids[1]
    assert isinstance(site.build("FROM base\n", build_args={"SOURCE_DATE_EPOCH": "now"}).error, InvalidParameter)
