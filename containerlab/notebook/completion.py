"""Tab completion of verbs, options, containers and images, in ``%container`` and ``%%dockerfile`` lines.

IPython cuts its token at ``:`` and knows nothing of ``x = %container``: so the whole line is read here, and the whole
word is what a completion replaces.
"""

from __future__ import annotations

__all__ = ["IDENTIFIER", "complete", "container_matcher"]

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import click
import docker.errors
import requests
from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from containerlab.commands import names, registry
from containerlab.commands.compose.group import compose_group, rest_after_options
from containerlab.commands.compose.names import file_names, service_names
from containerlab.errors import ContainerlabError
from containerlab.lab.exercises import exercises
from containerlab.notebook.dockerfile import dockerfile_command

IDENTIFIER = "containerlab"

_LINE = re.compile(r"^\s*(?:[^%=]+=\s*)?%{1,2}(container|dockerfile|compose|check)\s+(.*)$", re.DOTALL)
_RUNNING = ("running", "paused", "restarting")
# The states in which a verb has something to do with a container; where none is in one of them, all are offered.
_STATES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("attach", "kill", "memory", "port", "stats", "stop", "top", "wait", "watch"), _RUNNING),
    **dict.fromkeys(("exec", "pause"), ("running",)),
    "unpause": ("paused",),
    "start": ("created", "exited"),
}
_OF_CONTAINERS = ("volumes_from", "link")
_VALUES = {
    "network": ["none", "host"],
    "runtime": ["vm"],
    "cgroupns": ["private", "host"],
    "userns": ["host"],
    "log_driver": ["json-file", "local", "none"],
    "restart": ["no", "always", "unless-stopped", "on-failure"],
    "pid": ["host"],
    "ipc": ["private", "shareable", "none", "host"],
    "uts": ["host"],
    "security_opt": ["no-new-privileges", "seccomp=unconfined"],
}


def complete(before: str, connect: Callable[[], Any]) -> tuple[str, list[str]] | None:
    """For the text before the cursor: the word that is being written, and what it may become.

    None when the line is not one of ours. ``connect`` gives a client; its failure means no names.
    """
    line = _LINE.match(before)
    if not line:
        return None
    words = line.group(2).split()
    word = "" if not words or line.group(2)[-1].isspace() else words.pop()
    if line.group(1) == "check":
        return word, [] if words else _starting(word, [*exercises()])
    command: click.Command | None = dockerfile_command
    if line.group(1) in ("container", "compose"):
        command = registry.tree
        if line.group(1) == "compose":
            rest = rest_after_options(words)
            if rest is None or (not rest and word.startswith("-")):
                return word, _starting(word, _candidates(compose_group, words, word, connect))
            command, words = compose_group, rest
        while isinstance(command, click.Group):
            if not words:
                return word, _starting(word, [*command.commands])
            command = command.get_command(click.Context(command), words.pop(0))
    if command is None:
        return word, []
    return word, _starting(word, _candidates(command, words, word, connect))


def _candidates(command: click.Command, words: Sequence[str], word: str, connect: Callable[[], Any]) -> list[str]:
    options = {name: option for option in command.params if isinstance(option, click.Option) for name in option.opts}
    pending, positional = _walk(command, words, options)
    if pending is not None:
        return _values(pending, connect)
    interspersed = command.context_settings.get("allow_interspersed_args", True)
    if word.startswith("-") and (interspersed or not positional):
        return [name for name, option in options.items() if not option.hidden] + ["--help"]
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    if not arguments:
        return []
    at = arguments[min(positional, len(arguments) - 1)]
    if positional >= len(arguments) and at.nargs != -1:
        return []
    if command.name == "cp":
        return _copy_ends(word, connect)
    return _names(command.name or "", at.name or "", connect)


def _copy_ends(word: str, connect: Callable[[], Any]) -> list[str]:
    """A container up to its colon (a path inside would take a whole archive to list), or a file beside the notebook."""
    if ":" in word:
        return []
    folder, _, start = word.rpartition("/")
    try:
        beside = list(os.scandir(folder or ("/" if word.startswith("/") else ".")))
    except OSError:
        beside = []
    above = word[: len(word) - len(start)]
    files = [f"{above}{entry.name}{'/' if entry.is_dir() else ''}" for entry in beside if entry.name.startswith(start)]
    shown = sorted(name for name in files if start.startswith(".") or not name[len(above) :].startswith("."))
    return [*(f"{name}:" for name in _names("cp", "containers", connect) if "/" not in word), *shown]


def _walk(
    command: click.Command, words: Sequence[str], options: dict[str, click.Option]
) -> tuple[click.Option | None, int]:
    """Which option waits for its value, and how many arguments stand before the cursor."""
    pending: click.Option | None = None
    positional = 0
    for text in words:
        if pending is not None:
            pending = None
        elif (
            text.startswith("-")
            and len(text) > 1
            and (command.context_settings.get("allow_interspersed_args", True) or not positional)
        ):
            pending = _waiting(text, options)
        else:
            positional += 1
    return pending, positional


def _waiting(text: str, options: dict[str, click.Option]) -> click.Option | None:
    """The option whose value is the next word: ``--name``, or the last letter of ``-dm``."""
    option = options.get(text) or (options.get(f"-{text[-1]}") if not text.startswith("--") else None)
    return option if option is not None and not option.is_flag and "=" not in text else None


def _values(option: click.Option, connect: Callable[[], Any]) -> list[str]:
    if option.name in ("exit_code_from", "attach", "no_attach"):
        return service_names()
    if option.name == "files":
        return file_names()
    if option.name in _OF_CONTAINERS:
        return _names("", "containers", connect)
    if option.name == "network":
        return [*_VALUES["network"], *(name for name in _network_names(connect) if name not in _VALUES["network"])]
    if isinstance(option.type, click.Choice):
        return [str(choice) for choice in option.type.choices]
    return _VALUES.get(option.name or "", [])


def _names(verb: str, argument: str, connect: Callable[[], Any]) -> list[str]:
    if argument in ("service", "services"):
        return service_names()
    if argument in ("network", "networks"):
        return _network_names(connect)
    wants_images = argument in ("image", "images", "repository", "source")
    wants_containers = argument in ("container", "containers")
    if argument == "names":
        wants_images = wants_containers = True
    if not wants_images and not wants_containers:
        return []
    try:
        client = connect()
        some = names.container_names(client, states=_STATES[verb]) if verb in _STATES else []
        containers = some or (names.container_names(client) if wants_containers else [])
        return [*containers, *(names.image_names(client) if wants_images else [])]
    except (ContainerlabError, docker.errors.DockerException, requests.RequestException):
        return []


def _network_names(connect: Callable[[], Any]) -> list[str]:
    try:
        return sorted(network["Name"] for network in connect().api.networks())
    except (ContainerlabError, docker.errors.DockerException, requests.RequestException):
        return []


def _starting(word: str, candidates: Sequence[str]) -> list[str]:
    return [candidate for candidate in candidates if candidate.startswith(word)]


def _connect() -> Any:
    """A client of an engine that runs: a Tab must not start one, nor wait for long."""
    from containerlab.client import connect

    client = connect(start=False)
    client.api.timeout = 2
    return client


@context_matcher(identifier=IDENTIFIER, priority=100)  # type: ignore[untyped-decorator]
def container_matcher(context: CompletionContext) -> SimpleMatcherResult:
    """The IPython matcher; on lines of ours it is the only one that is asked."""
    found = complete(context.text_until_cursor, _connect)
    if found is None:
        return SimpleMatcherResult(completions=[], suppress=False)
    word, candidates = found
    return SimpleMatcherResult(
        completions=[SimpleCompletion(candidate, type="param") for candidate in candidates],
        matched_fragment=word,
        suppress=True,
        ordered=True,
    )
