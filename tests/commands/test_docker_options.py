"""No verb or option of Docker's own command line is unknown here: it works, or it is refused by name."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

import click
import pytest

from containerlab.commands.context import Context
from containerlab.commands.groups import ELSEWHERE, Family
from containerlab.commands.parsing import options_of
from containerlab.commands.registry import invoke, tree
from containerlab.errors import InvalidParameter, UsageError
from tests.clients.conftest import CLIENTS

Verb = Callable[[str], Any]
NEWEST = CLIENTS[0] if CLIENTS else ""
needs_docker = pytest.mark.skipif(not NEWEST, reason="needs the docker command")
_OPTION = re.compile(r"^  (?:(-\w), |    )(--[\w-]+)", re.MULTILINE)
_COMMAND = re.compile(r"^  (\w+)\*?  +", re.MULTILINE)


def docker_help(*words: str) -> str:
    done = subprocess.run(
        [NEWEST, *words, "--help"], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "DOCKER_BUILDKIT": "0", "DOCKER_HOST": "unix:///nonexistent"},
    )  # fmt: skip
    return done.stdout


def lines_of_verbs() -> list[tuple[str, ...]]:
    """Every verb that both have: ``("run",)``, ``("image", "prune")``."""
    ours = {
        "check",
        "compare",
        "lang",
        "layers",
        "lesson",
        "life",
        "memory",
        "mounts",
        "namespaces",
        "progress",
        "reset",
    }
    ours |= {"timeline", "trace", "usage", "watch", "where"}
    ours |= {"compose"}  # a plugin's, not docker's own
    found: list[tuple[str, ...]] = []
    for name, command in sorted(tree.commands.items()):
        if isinstance(command, Family):
            found += [(name, verb) for verb in command.commands]
        elif name not in ours:
            found.append((name,))
    return found


@needs_docker
@pytest.mark.parametrize("words", lines_of_verbs(), ids=" ".join)
def test_every_option_of_dockers_verb_is_known(words: tuple[str, ...]) -> None:
    command: click.Command | None = tree.commands[words[0]]
    if isinstance(command, Family):
        command = command.find(words[1])
    assert command is not None
    known = {*options_of(command), "--help"}
    text = docker_help(*words)
    named = {option for pair in _OPTION.findall(text) for option in pair if option}
    assert "Usage:" in text and named - known == set()


@needs_docker
def test_every_verb_of_dockers_is_here_or_answered() -> None:
    sections = docker_help().partition("Global Options:")[0]
    assert set(_COMMAND.findall(sections)) <= {*tree.commands, *ELSEWHERE}


@needs_docker
@pytest.mark.parametrize("group", ["container", "image", "system", "builder"])
def test_every_verb_of_dockers_group_is_here(group: str) -> None:
    family = tree.commands[group]
    assert isinstance(family, Family)
    assert set(_COMMAND.findall(docker_help(group))) <= set(family.commands)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("swarm init", "no swarm"),
        ("container foo", "There is no verb 'container foo'"),
        ("container prun", "Did you mean prune"),
        ("system check", "!containerlab system check"),
        ("doctor", "!containerlab doctor"),
        ("images --tree", "--tree isn't carried out: an image here has one platform"),
        ("history --platform linux/amd64 img", "--platform isn't carried out"),
        ("start --checkpoint one web", "--checkpoint isn't carried out"),
        ("build --call check .", "--call isn't carried out"),
        ("build --rm=false .", "--rm=false isn't carried out"),
        ("exec --detach-keys ctrl-1 web sh", "invalid detach keys (ctrl-1)"),
        ("update --memory 3x web", "3x"),
    ],
)
def test_what_is_not_carried_out_is_said_without_an_engine(line: str, words: str) -> None:
    def nobody() -> Any:
        raise AssertionError("an engine was asked for")

    with pytest.raises(UsageError) as caught:
        invoke(line.split(), Context(connect=nobody))
    assert words in str(caught.value)


REFUSED_BY_THE_ENGINE = [
    "--cgroup-parent /x", "--storage-opt size=1", "--blkio-weight 500",
    "--device-read-bps /dev/sda:1mb", "--device-write-iops /dev/sda:1", "--cpu-rt-period 1", "--cpu-rt-runtime 1",
    "--gpus all", "--kernel-memory 8m", "--cpu-count 1", "--cpu-percent 1", "--io-maxiops 1", "--io-maxbandwidth 1m",
]  # fmt: skip


@pytest.mark.parametrize("option", REFUSED_BY_THE_ENGINE)
def test_the_engine_refuses_by_name_what_it_cannot_carry_out(verb: Verb, option: str, name: str) -> None:
    with pytest.raises(Exception, match=f"{option.split()[0]} isn't carried out"):
        verb(f"create --name {name} --network none {option} lab/busybox true")


def test_another_isolation_is_refused_in_dockers_words(verb: Verb, name: str) -> None:
    with pytest.raises(InvalidParameter, match="Invalid isolation: 'hyperv' - linux only supports 'default'"):
        verb(f"create --name {name} --network none --isolation hyperv lab/busybox true")


@pytest.mark.parametrize("group", [name for name, command in tree.commands.items() if isinstance(command, Family)])
def test_a_group_alone_lists_its_verbs(group: str) -> None:
    shown = str(invoke([group], Context()))
    assert shown.startswith(f"Usage: containerlab {group}") and "Verbs:" in shown
