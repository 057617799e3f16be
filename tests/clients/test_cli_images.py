"""The verbs of the real command line on images: build, images, history, tag, rmi, pull."""

from __future__ import annotations

import json
import uuid

import pytest

IMAGE = "lab/busybox"


@pytest.fixture
def tag(cli):
    """An image name of the test's own, removed at the end."""
    chosen = f"t{uuid.uuid4().hex[:10]}:1"
    yield chosen
    cli("rmi", "-f", chosen)


def build(cli, tmp_path, dockerfile: str, *options: str, files: dict[str, str] | None = None):
    folder = tmp_path / "context"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile)
    for path, content in (files or {}).items():
        (folder / path).write_text(content)
    return cli("build", *options, str(folder), timeout=60)


def test_build_then_run(cli, tag, tmp_path):
    steps = ("ENV GREETING=hello", "COPY name /name", "RUN echo built > /made", "CMD cat /name /made; echo $GREETING")
    dockerfile = "\n".join([f"FROM {IMAGE}", *steps])
    answer = build(cli, tmp_path, dockerfile, "-t", tag, files={"name": "Ada\n"})
    assert answer.code == 0, answer
    assert "Successfully tagged" in answer.out
    assert "Step 1/5 : FROM" in answer.out
    assert cli("run", "--rm", tag).out == "Ada\nbuilt\nhello\n"


def test_a_second_build_is_cached(cli, tag, tmp_path):
    dockerfile = f"FROM {IMAGE}\nRUN echo {tag}\n"
    assert f"\n{tag}\n" in build(cli, tmp_path, dockerfile, "-t", tag).out
    again = build(cli, tmp_path, dockerfile, "-t", tag)
    assert "Using cache" in again.out
    assert f"\n{tag}\n" not in again.out


def test_build_arguments_labels_and_quiet(cli, tag, tmp_path):
    answer = build(
        cli,
        tmp_path,
        f"FROM {IMAGE}\nARG WHO\nRUN echo $WHO > /who\n",
        *("-q", "-t", tag, "--build-arg", "WHO=Grace", "--label", "k=v"),
    )
    assert answer.out.startswith("sha256:")
    assert cli.ok("run", "--rm", tag, "cat", "/who") == "Grace"
    assert cli.ok("inspect", "-f", "{{.Config.Labels.k}}", tag) == "v"


def test_a_step_that_fails_fails_the_build_with_its_code(cli, tmp_path):
    answer = build(cli, tmp_path, f"FROM {IMAGE}\nRUN echo before; exit 3\n")
    assert answer.code == 3
    assert "before" in answer.out
    assert "returned a non-zero code: 3" in answer.err


def test_a_dockerfile_that_cannot_be_parsed_is_refused_with_its_line(cli, tmp_path):
    answer = build(cli, tmp_path, f"FROM {IMAGE}\nFLY away\n")
    assert answer.code == 1
    assert "unknown instruction: FLY" in answer.err


def test_a_copy_from_outside_the_context_is_refused(cli, tmp_path):
    (tmp_path / "secret").write_text("hidden")
    answer = build(cli, tmp_path, f"FROM {IMAGE}\nCOPY ../secret /\n")
    assert answer.code == 1


def test_a_dockerfile_from_standard_input(cli, tag):
    answer = cli("build", "-t", tag, "-", stdin=f"FROM {IMAGE}\nCMD echo piped\n".encode())
    assert answer.code == 0, answer
    assert cli("run", "--rm", tag).out == "piped\n"


def test_images_tag_and_rmi(cli, tag):
    cli.ok("run", "--rm", IMAGE, "true")
    cli.ok("tag", IMAGE, tag)
    repository, _, version = tag.partition(":")
    assert cli.ok("images", "--format", "{{.Repository}}|{{.Tag}}", repository) == f"{repository}|{version}"
    same = cli.ok("images", "-q", "--no-trunc", repository)
    assert same == cli.ok("images", "-q", "--no-trunc", IMAGE)
    assert f"Untagged: {tag}" in cli.ok("rmi", tag)
    assert cli.ok("images", "-q", repository) == ""


def test_an_image_in_use_stays(cli, tag, tmp_path, name):
    assert build(cli, tmp_path, f"FROM {IMAGE}\nENV of={name}\n", "-t", tag).code == 0
    cli.ok("create", "--name", name, tag, "true")
    answer = cli("rmi", tag)
    assert answer.code == 1
    assert "conflict" in answer.err
    cli.ok("rm", name)
    assert "Deleted: sha256:" in cli.ok("rmi", tag)


def test_history_shows_each_step(cli, tag, tmp_path):
    assert build(cli, tmp_path, f"FROM {IMAGE}\nRUN echo {tag} > /x\nCMD last\n", "-t", tag).code == 0
    steps = cli.ok("history", "--no-trunc", "--format", "{{.CreatedBy}}", tag).splitlines()
    assert "CMD" in steps[0]
    assert f"echo {tag} > /x" in steps[1]


def test_inspect_of_an_image(cli):
    cli.ok("run", "--rm", IMAGE, "true")
    [shown] = json.loads(cli.ok("image", "inspect", IMAGE))
    assert f"{IMAGE}:latest" in shown["RepoTags"]
    assert shown["Id"].startswith("sha256:")
    assert shown["RootFS"]["Type"] == "layers"
    assert shown["Os"] == "linux"


def test_an_unknown_image_is_named(cli):
    answer = cli("image", "inspect", "lab/nothing-of-this-name")
    assert answer.code == 1
    assert "No such image: lab/nothing-of-this-name" in answer.err


@pytest.mark.ours("the dockerd here is older than the parameter")
@pytest.mark.parametrize(
    "words", [("rmi",), ("history",), ("image", "inspect"), ("push",), ("save",)], ids=lambda words: words[-1]
)
def test_an_image_that_is_not_for_the_platform_asked_is_left_alone(cli, words):
    verb = cli(*words, "--platform", "linux/s390x", IMAGE)
    if "unknown flag" in verb.err:
        pytest.skip("this command line is older than the option")
    assert verb.code == 1
    assert "linux/s390x" in verb.err
    assert cli.ok("images", "-q", IMAGE)
    if words[-1] in ("history", "inspect"):
        architecture = cli.ok("version", "-f", "{{.Server.Arch}}")
        cli.ok(*words, "--platform", f"linux/{architecture}", IMAGE)
