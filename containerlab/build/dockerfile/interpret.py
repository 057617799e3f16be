"""Nodes in, instructions out: each keyword's arguments understood, and the whole cut into stages."""

from __future__ import annotations

import re
from collections.abc import Callable

from containerlab.build.dockerfile.arguments import (
    check_words,
    command_line,
    duration,
    list_form,
    pairs,
    refuse_bad_json,
    require,
    single,
    words,
)
from containerlab.build.dockerfile.flags import FlagKind, FlagSet, read_flags
from containerlab.build.dockerfile.heredoc import opening
from containerlab.build.dockerfile.instructions import (
    INSTRUCTIONS,
    Add,
    Arg,
    Cmd,
    CommandLine,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stage,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from containerlab.build.dockerfile.mounts import parse_mounts
from containerlab.build.dockerfile.nodes import Heredoc, Node
from containerlab.build.dockerfile.parser import Parser, decode, json_form
from containerlab.build.dockerfile.source import Place, did_you_mean
from containerlab.errors import DockerfileError

__all__ = ["parse", "parse_trigger"]

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*\Z")
_COUNT = re.compile(r"[0-9]{1,20}\Z")
_MOST_RETRIES = 2**31 - 1
_NOT_TRIGGERS = ("ONBUILD", "FROM", "MAINTAINER")

_FLAGS: dict[str, dict[str, FlagKind]] = {
    "FROM": {"platform": str},
    "RUN": {"mount": list[str], "network": str, "security": str},
    "COPY": {
        "from": str,
        "chown": str,
        "chmod": str,
        "link": bool,
        "parents": bool,
        "exclude": list[str],
    },
    "ADD": {
        "chown": str,
        "chmod": str,
        "checksum": str,
        "link": bool,
        "keep-git-dir": bool,
        "unpack": bool,
        "exclude": list[str],
    },
    "HEALTHCHECK": {
        "interval": str,
        "timeout": str,
        "start-period": str,
        "start-interval": str,
        "retries": str,
    },
}


def parse(text: str | bytes, file: str = "Dockerfile") -> Dockerfile:
    """A Dockerfile's text as stages of instructions; ``file`` is its name in messages. Raises DockerfileError."""
    parser = Parser(decode(text, file))
    reader = _Reader(parser)
    nodes = parser.nodes()
    if not nodes:
        raise DockerfileError(
            "the Dockerfile is empty", file=file, line=1, hint="expected FROM IMAGE as the first instruction"
        )
    global_args: list[Arg] = []
    stages: list[tuple[From, list[Instruction]]] = []
    names: set[str] = set()
    for node in nodes:
        instruction = reader.read(node)
        if isinstance(instruction, From):
            _refuse_known_name(instruction, names)
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            global_args.append(instruction)
        else:
            raise node.error(
                f"no build stage in current context: {node.keyword} stands before the first FROM",
                hint="expected FROM IMAGE first; only ARG may stand before it",
            )
    if not stages:
        raise nodes[-1].error("no build stage: the Dockerfile has no FROM", hint="expected FROM IMAGE")
    read = tuple(Stage(from_, tuple(instructions)) for from_, instructions in stages)
    return Dockerfile(file, tuple(global_args), read, parser.directives, tuple(parser.notices))


def parse_trigger(text: str, image: str) -> Instruction:
    """An ``ONBUILD`` trigger that ``image`` carries. Raises DockerfileError, which names the image as the file."""
    parser = Parser(decode(text, f"ONBUILD of {image}"))
    nodes = parser.nodes()
    if len(nodes) != 1 or nodes[0].keyword in _NOT_TRIGGERS:
        raise parser.source.error("an ONBUILD trigger is one instruction", Place(1))
    return _Reader(parser).read(nodes[0])


def _refuse_known_name(instruction: From, names: set[str]) -> None:
    if instruction.name in names:
        message = f"duplicate name {instruction.name}"
        raise instruction.node.error(message, hint="an earlier stage has this name; choose another")
    names |= {instruction.name} - {""}


class _Reader:
    """One method a keyword; each is given a node and its checked flags."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._escape = parser.directives.escape

    def read(self, node: Node) -> Instruction:
        """``node`` understood. Raises DockerfileError."""
        if node.keyword not in INSTRUCTIONS:
            hint = did_you_mean(node.keyword, INSTRUCTIONS)
            raise node.error(
                f"unknown instruction: {node.keyword}", hint=hint or f"expected one of {', '.join(INSTRUCTIONS)}"
            )
        method: Callable[[Node, FlagSet], Instruction] = getattr(self, f"_{node.keyword.lower()}")
        return method(node, read_flags(node, _FLAGS.get(node.keyword, {})))

    def _from(self, node: Node, flags: FlagSet) -> From:
        parts = words(node, self._escape)
        named = len(parts) == 3 and parts[1][1].upper() == "AS"
        require(node, len(parts) == 1 or named, "either one or three arguments: FROM IMAGE [AS name]")
        check_words(node, parts[0][1], parts[0][0], self._escape)
        name = parts[2][1].lower() if named else ""
        if name and not _STAGE_NAME.match(name):
            hint = "a stage's name begins with a letter; then letters, digits, - _ ."
            raise node.error(f"invalid name for build stage: {name!r}", offset=parts[2][0], hint=hint)
        return From(node=node, image=parts[0][1], name=name, platform=flags.text("platform"))

    def _run(self, node: Node, flags: FlagSet) -> Run:
        command = command_line(node)
        require(node, bool(command.args), "at least one argument")
        return Run(
            node=node,
            command=command,
            heredocs=node.heredocs,
            mounts=parse_mounts(node),
            network=flags.text("network"),
            security=flags.text("security"),
        )

    def _copy(self, node: Node, flags: FlagSet) -> Copy:
        sources, heredocs, destination = self._sources(node)
        return Copy(
            node=node,
            sources=sources,
            heredocs=heredocs,
            destination=destination,
            from_=flags.text("from"),
            chown=flags.text("chown"),
            chmod=flags.text("chmod"),
            link=flags.is_true("link"),
            parents=flags.is_true("parents"),
            exclude=flags.texts("exclude"),
        )

    def _add(self, node: Node, flags: FlagSet) -> Add:
        sources, heredocs, destination = self._sources(node)
        return Add(
            node=node,
            sources=sources,
            heredocs=heredocs,
            destination=destination,
            chown=flags.text("chown"),
            chmod=flags.text("chmod"),
            checksum=flags.text("checksum"),
            unpack=flags.text("unpack"),
            link=flags.is_true("link"),
            keep_git_dir=flags.is_true("keep-git-dir"),
            exclude=flags.texts("exclude"),
        )

    def _sources(self, node: Node) -> tuple[tuple[str, ...], tuple[Heredoc, ...], str]:
        parts = list_form(node, self._escape)
        if len(parts) < 2:
            only = ", but only one was provided. Destination could not be determined" if parts else ""
            require(node, False, f"at least two arguments{only}")
        *sources, destination = parts
        if node.heredocs:
            sources = [each for each in sources if opening(each, self._escape) is None]
        return tuple(sources), node.heredocs, destination

    def _env(self, node: Node, _: FlagSet) -> Env:
        return Env(node=node, pairs=pairs(node, self._escape))

    def _label(self, node: Node, _: FlagSet) -> Label:
        return Label(node=node, pairs=pairs(node, self._escape))

    def _arg(self, node: Node, _: FlagSet) -> Arg:
        found = words(node, self._escape)
        require(node, bool(found), "at least one argument")
        result: list[tuple[str, str | None]] = []
        for offset, word in found:
            name, equals, value = word.partition("=")
            if not name:
                raise node.error("ARG names can not be blank", offset=offset, hint="expected name or name=default")
            check_words(node, word, offset, self._escape)
            result.append((name, value if equals else None))
        return Arg(node=node, pairs=tuple(result))

    def _cmd(self, node: Node, _: FlagSet) -> Cmd:
        return Cmd(node=node, command=command_line(node))

    def _entrypoint(self, node: Node, _: FlagSet) -> Entrypoint:
        return Entrypoint(node=node, command=command_line(node))

    def _workdir(self, node: Node, _: FlagSet) -> Workdir:
        return Workdir(node=node, path=single(node, self._escape))

    def _user(self, node: Node, _: FlagSet) -> User:
        return User(node=node, user=single(node, self._escape))

    def _stopsignal(self, node: Node, _: FlagSet) -> StopSignal:
        return StopSignal(node=node, signal=single(node, self._escape))

    def _maintainer(self, node: Node, _: FlagSet) -> Maintainer:
        require(node, bool(node.arguments.text), "exactly one argument")
        return Maintainer(node=node, name=node.arguments.text)

    def _expose(self, node: Node, _: FlagSet) -> Expose:
        found = words(node, self._escape)
        require(node, bool(found), "at least one argument")
        for offset, word in found:
            check_words(node, word, offset, self._escape)
        return Expose(node=node, ports=tuple(word for _, word in found))

    def _volume(self, node: Node, _: FlagSet) -> Volume:
        paths = list_form(node, self._escape)
        require(node, bool(paths), "at least one argument")
        if not all(path.strip() for path in paths):
            raise node.error("VOLUME specified can not be an empty string")
        return Volume(node=node, paths=paths)

    def _shell(self, node: Node, _: FlagSet) -> Shell:
        refuse_bad_json(node)
        if node.json is None:
            hint = 'expected a JSON array of strings: SHELL ["program", "argument"]'
            raise node.error("SHELL requires the arguments to be in JSON form", offset=0, hint=hint)
        require(node, bool(node.json), "at least one argument")
        return Shell(node=node, shell=node.json)

    def _healthcheck(self, node: Node, flags: FlagSet) -> Healthcheck:
        kind, _, rest = node.arguments.text.partition(" ")
        kind, rest = kind.upper(), rest.strip()
        if kind == "NONE":
            if rest or node.flags:
                raise node.error("HEALTHCHECK NONE takes no arguments")
            return Healthcheck(node=node, command=None)
        if kind != "CMD":
            hint = did_you_mean(kind, ["CMD", "NONE"]) or "expected CMD or NONE"
            raise node.error(f"unknown type {kind!r} in HEALTHCHECK", offset=0, hint=hint)
        if not rest:
            raise node.error("missing command after HEALTHCHECK CMD")
        refuse_bad_json(node, offset=node.arguments.text.rindex(rest))
        vector = json_form(rest)
        retries = flags.text("retries")
        if retries and (_COUNT.match(retries) is None or int(retries) > _MOST_RETRIES):
            hint = f"expected a number from 1 to {_MOST_RETRIES}"
            raise node.error(f"--retries={retries[:40]} isn't a number of times", hint=hint)
        return Healthcheck(
            node=node,
            command=CommandLine((rest,), True) if vector is None else CommandLine(vector, False),
            interval=duration(node, flags.text("interval")),
            timeout=duration(node, flags.text("timeout")),
            start_period=duration(node, flags.text("start-period")),
            start_interval=duration(node, flags.text("start-interval")),
            retries=int(retries or 0),
        )

    def _onbuild(self, node: Node, _: FlagSet) -> Onbuild:
        require(node, bool(node.arguments.text), "at least one argument")
        inner = self._parser.node(node.arguments, node.heredocs)
        if inner.keyword == "ONBUILD":
            raise node.error("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", offset=0)
        if inner.keyword in _NOT_TRIGGERS:
            raise node.error(f"{inner.keyword} isn't allowed as an ONBUILD trigger", offset=0)
        bodies = "".join(f"\n{heredoc.body}{heredoc.name}" for heredoc in node.heredocs)
        return Onbuild(node=node, trigger=node.arguments.text + bodies, instruction=self.read(inner))
