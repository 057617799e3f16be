"""Each verb against the engine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from containerlab.commands.build import BuildOptions, build
from containerlab.commands.context import Context
from containerlab.commands.problems import start_failure
from containerlab.errors import (
    BuildFailed,
    Conflict,
    ContainerlabError,
    NoSuchContainer,
    NoSuchImage,
    NotFound,
    StartFailed,
    UsageError,
)
from tests.commands.conftest import Kept

Verb = Callable[[str], Any]
RUN = "run --network none"
IMAGE = "lab/busybox"


def test_run_streams_and_keeps_both_outputs(verb: Verb, output: Kept) -> None:
    result = verb(f"{RUN} --rm {IMAGE} sh -c 'echo out; echo err >&2; exit 3'")
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 3)
    assert (output.out, output.err) == (b"out\n", b"err\n")
    assert result.seconds > 0 and not result.truncated


def test_run_rm_leaves_nothing(verb: Verb, client: docker.DockerClient, name: str) -> None:
    verb(f"{RUN} --rm --name {name} {IMAGE} true")
    assert not client.api.containers(all=True, filters={"name": name})


def test_a_body_is_the_programs_input(context: Context, verb: Verb) -> None:
    context.body = b"echo from the body\nexit 5\n"
    result = verb(f"{RUN} --rm {IMAGE} sh")
    assert (result.stdout, result.exit_code) == ("from the body\n", 5)


def test_a_large_body_comes_back_whole(context: Context, verb: Verb) -> None:
    context.body = b"".join(b"%07d\n" % number for number in range(200_000))
    assert verb(f"{RUN} --rm {IMAGE} cat").stdout.encode() == context.body


@pytest.mark.parametrize(("command", "code"), [("nosuch", 127), ("/etc", 126)])
def test_a_command_that_cannot_start_has_dockers_exit_code(verb: Verb, command: str, code: int) -> None:
    with pytest.raises(StartFailed) as caught:
        verb(f"{RUN} --rm {IMAGE} {command}")
    assert caught.value.exit_code == code


def test_a_port_that_may_not_be_had_says_nothing_of_programs() -> None:
    failure = start_failure("driver failed programming external connectivity: listen tcp4 :80: bind: permission denied")
    assert (failure.exit_code, failure.hint) == (126, ""), "the code is docker's, by its words"
    assert "a program was found" in start_failure('exec: "/etc": permission denied').hint


def test_namespaces_in_a_terminal_speak_of_no_notebook(verb: Verb, context: Context, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    told = {}
    for context.notebook in (True, False):
        told[context.notebook] = str(verb(f"namespaces {name}"))
    assert "with this notebook" in told[True] and "terminal" not in told[True]
    assert "with this terminal" in told[False] and "notebook" not in told[False]


def test_an_unknown_image_names_its_neighbours(verb: Verb) -> None:
    with pytest.raises(NoSuchImage, match=r"lab/busibox(.|\n)*lab/busybox"):
        verb(f"{RUN} lab/busibox true")


def test_detached_run_gives_the_id_and_replace_makes_it_repeatable(verb: Verb, name: str) -> None:
    first = verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    with pytest.raises(Conflict):
        verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    second = verb(f"{RUN} -d --replace --name {name} {IMAGE} sleep 100")
    assert first.id != second.id and str(second) == second.id
    assert verb(f"inspect {name} --format {{{{.Id}}}}")[0] == second.id


def test_replace_needs_a_name(verb: Verb) -> None:
    with pytest.raises(UsageError, match="--name"):
        verb(f"{RUN} --replace {IMAGE} true")


def test_create_start_wait_logs(verb: Verb, name: str, output: Kept) -> None:
    made = verb(f"create --network none --name {name} {IMAGE} sh -c 'echo one; echo two; exit 4'")
    assert made.name == name
    assert verb(f"start {name}").lines == [name]
    assert verb(f"wait {name}").lines == ["4"]
    output.out = b""
    assert verb(f"logs --tail 1 {name}").stdout == "two\n"
    assert output.out == b"two\n"
    stamped = verb(f"logs --timestamps {name}").stdout.splitlines()
    assert len(stamped) == 2 and all(line[:2] == "20" and "T" in line for line in stamped)


def test_start_attached_gives_output_and_exit_code(verb: Verb, name: str) -> None:
    verb(f"create --network none --name {name} {IMAGE} sh -c 'echo again; exit 6'")
    for _ in range(2):
        result = verb(f"start -a {name}")
        assert (result.stdout, result.exit_code) == ("again\n", 6)


def test_attach_joins_a_running_container(context: Context, verb: Verb, name: str) -> None:
    verb(f"{RUN} -di --name {name} {IMAGE} sh")
    context.body = b"echo attached; exit 7\n"
    result = verb(f"attach {name}")
    assert (result.stdout, result.exit_code) == ("attached\n", 7)
    with pytest.raises(Conflict, match="isn't running"):
        verb(f"attach {name}")


def test_logs_follow_ends_with_the_container(verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sh -c 'for i in 1 2 3; do echo $i; sleep 0.1; done'")
    assert verb(f"logs -f {name}").stdout == "1\n2\n3\n"


def test_exec_runs_in_the_container(context: Context, verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    result = verb(f"exec -e A=1 -w /tmp {name} sh -c 'echo $A; pwd; exit 9'")
    assert (result.stdout, result.exit_code) == ("1\n/tmp\n", 9)
    context.body = b"from the body"
    assert verb(f"exec {name} cat").stdout == "from the body"


def test_ps_lists_what_runs_and_all_with_a(verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    rows = [row for row in verb("ps") if row["name"] == name]
    assert len(rows) == 1
    assert (rows[0]["image"], rows[0]["command"], rows[0]["state"]) == (IMAGE, "sleep 100", "running")
    verb(f"kill {name}")
    verb(f"wait {name}")
    assert name not in [row["name"] for row in verb("ps")]
    assert name in str(verb(f"ps -a --filter name={name}"))
    assert verb(f"ps -a --filter name={name} --format '{{{{.Names}}}} {{{{.State}}}}'").calm() == f"{name} exited"
    assert len(verb(f"ps -aq --filter name={name}")[0]) == 12
    assert json.loads(str(verb(f"ps -a --filter name={name} --format json")))["Names"] == name


def test_life_of_a_container(verb: Verb, name: str, client: docker.DockerClient) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    assert verb(f"restart -t 0 {name}").lines == [name]
    assert verb(f"rename {name} {name}-b").lines == []
    assert verb(f"stop -t 0 {name}-b").lines == [f"{name}-b"]
    assert verb(f"inspect -f '{{{{.State.ExitCode}}}}' {name}-b").lines == ["137"]
    assert verb(f"rm {name}-b").lines == [f"{name}-b"]
    assert not client.api.containers(all=True, filters={"name": name})


def test_rm_goes_on_after_a_name_that_fails(verb: Verb, name: str, output: Kept) -> None:
    verb(f"create --network none --name {name} {IMAGE}")
    with pytest.raises(NoSuchContainer, match="nosuch-at-all"):
        verb(f"rm nosuch-at-all {name}")
    assert output.out.decode() == f"{name}\n"
    assert verb("rm -f nosuch-at-all").lines == []


def test_several_failures_are_all_told(verb: Verb) -> None:
    with pytest.raises(ContainerlabError) as caught:
        verb("stop nosuch-one nosuch-two")
    assert "nosuch-one" in str(caught.value) and "nosuch-two" in str(caught.value)


def test_an_unknown_container_names_its_neighbours(verb: Verb, name: str) -> None:
    verb(f"create --network none --name {name} {IMAGE}")
    with pytest.raises(NoSuchContainer, match=f"Did you mean {name}"):
        verb(f"logs {name}x")


def test_inspect_finds_containers_and_images(verb: Verb, name: str) -> None:
    verb(f"create --network none --name {name} {IMAGE} true")
    assert verb(f"inspect {name}")[0]["Config"]["Cmd"] == ["true"]
    assert verb(f"inspect {IMAGE}")[0]["RootFS"]["Type"] == "layers"
    with pytest.raises(NotFound, match="No such object: nosuch-thing"):
        verb("inspect nosuch-thing")
    with pytest.raises(NoSuchImage):
        verb(f"inspect --type image {name}")


def test_top_shows_the_processes(verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    table = verb(f"top {name}")
    assert len(table) == 1 and any("sleep 100" in str(cell) for cell in table[0].values())


@pytest.mark.counted
def test_stats_reads_once(verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    row = verb(f"stats {name}")[0]
    assert row["name"] == name and row["pids"] >= 1 and row["cpu_percent"] >= 0


def test_events_tell_what_happened(context: Context, verb: Verb, name: str) -> None:
    since = time.time() - 1
    verb(f"{RUN} --rm --name {name} {IMAGE} true")
    context.notebook = True
    actions = [row["action"] for row in verb(f"events --since {since:.3f} --filter container={name}")]
    assert [action for action in actions if action in ("create", "start", "die", "destroy")] == [
        "create",
        "start",
        "die",
        "destroy",
    ]


def test_images_history_tag_and_rmi(verb: Verb, name: str) -> None:
    assert verb(f"tag {IMAGE} {name}:two").lines == []
    rows = list(verb(f"images {name}"))
    assert [(row["repository"], row["tag"]) for row in rows] == [(name, "two")]
    assert verb(f"images {name} --format '{{{{.Repository}}}}:{{{{.Tag}}}}'").calm() == f"{name}:two"
    assert sum(row["size"] for row in verb(f"history {IMAGE}")) > 0
    assert verb(f"rmi {name}:two").lines == [f"Untagged: {name}:two"]
    with pytest.raises(NoSuchImage):
        verb(f"rmi {name}:two")
    assert verb(f"rmi -f {name}:two").lines == []


def test_info_and_version_speak_of_the_engine(verb: Verb) -> None:
    facts = {row["fact"]: row["value"] for row in verb("info")}
    assert int(facts["Processors"]) >= 1 and facts["Kernel"]
    assert verb("version --format '{{.Server.ApiVersion}}'")[0].startswith("1.")
    assert "containerlab" in str(verb("version"))


def test_build_gives_steps_and_the_second_time_the_cache(context: Context, name: str, output: Kept) -> None:
    text = f"FROM {IMAGE}\nARG WORD\nRUN echo $WORD > /word && cat /word\n".encode()
    context.variables = {"word": "hello"}
    options = BuildOptions(dockerfile=text, tag=(f"{name}:1",), build_arg=("WORD=@word",), network="none")
    first = build(context, options)
    assert first.id.startswith("sha256:")
    assert [step["instruction"].split()[0] for step in first.steps] == ["FROM", "ARG", "RUN"]
    assert first.steps[2]["output"] == "hello\n" and not first.steps[2]["cached"]
    second = build(context, options)
    assert second.id == first.id and second.steps[2]["cached"]
    assert output.log is not None and output.log.ended
    context.client.api.remove_image(f"{name}:1")


def test_a_failed_step_says_which_and_shows_its_output(context: Context) -> None:
    text = f"FROM {IMAGE}\nRUN echo last words; exit 4\n".encode()
    with pytest.raises(BuildFailed, match=r"Step 2/2 failed(.|\n)*last words") as caught:
        build(context, BuildOptions(dockerfile=text, network="none"))
    assert caught.value.exit_code == 4


def test_build_sends_the_folder_without_what_is_ignored(
    context: Context, verb: Verb, tmp_path: Path, name: str
) -> None:
    (tmp_path / "kept").write_text("kept\n")
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / ".dockerignore").write_text("# not for the image\nsecret\n")
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY . /data/\n")
    assert verb(f"build -t {name}:1 {tmp_path}").tags == [f"{name}:1"]
    assert verb(f"{RUN} --rm {name}:1 ls /data").stdout.split() == ["Dockerfile", "kept"]
    outside = tmp_path.parent / f"{name}.Dockerfile"
    outside.write_text(f"FROM {IMAGE}\nCOPY kept /other\n")
    verb(f"build -q -t {name}:1 -f {outside} {tmp_path}")
    assert verb(f"{RUN} --rm {name}:1 cat /other").stdout == "kept\n"
    cell = BuildOptions(context=tmp_path, dockerfile=f"FROM {IMAGE}\nCOPY . /d/\n".encode(), tag=(f"{name}:1",))
    build(context, cell)
    assert verb(f"{RUN} --rm {name}:1 ls -A /d").stdout.split() == [".dockerignore", "Dockerfile", "kept"]
    context.client.api.remove_image(f"{name}:1", force=True)


def test_build_wants_a_folder(verb: Verb, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        verb(f"build {tmp_path}/nothing")
    with pytest.raises(UsageError, match="Dockerfile"):
        verb(f"build {tmp_path}")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rum", "There is no verb 'rum'. Did you mean"),
        ("run --nmae x img", "--name"),
        ("ps --al", "--all"),
        ("run", "Missing argument 'IMAGE'"),
        ("exec web", "COMMAND"),
        ("logs --tail x web", "a number of lines"),
        ("start -a a b", "one container"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(verb: Verb, line: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        verb(line)
    assert words in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_stats_for_a_while_is_a_row_a_reading(verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    rows = list(verb(f"stats --for 2.5 {name}"))
    assert len(rows) >= 2 and [row["at"] for row in rows] == sorted(row["at"] for row in rows)


def test_live_is_for_notebooks(verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    with pytest.raises(UsageError, match="notebook"):
        verb(f"stats {name}").live()


def test_events_for_a_while_are_those_from_now_on(context: Context, verb: Verb, name: str) -> None:
    verb(f"create --network none --name {name} {IMAGE} true")
    context.notebook = True
    began = time.monotonic()
    assert len(verb(f"events --for 0.5 --filter container={name}")) == 0
    assert time.monotonic() - began < 10
