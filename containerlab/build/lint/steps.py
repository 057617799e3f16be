"""What RUN, COPY and ADD do to the image's size and to the cache."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from containerlab.build.dockerfile import Instruction
from containerlab.build.dockerfile.instructions import Add, Copy, Run
from containerlab.build.lint.model import Found, Subject

__all__ = ["add", "apt_clean", "apt_recommends", "apt_update", "apt_yes", "cd", "copy_all_first", "latest"]

# Possessive, and begun at a word's start alone: a text is read once, however it tries to be read again and again.
_APT = r"(?<![\w-])apt(?:-get)?(?:\s++-\S++)*+\s++"
_INSTALL = re.compile(_APT + r"install\b[^;&|\n]*")
_UPDATE = re.compile(_APT + r"update\b")
_YES = re.compile(r"\s(?:-(?=[a-z]*y)[a-z]++|--yes|--assume-yes|-qq)(?:\s|\Z)")
_REMOVAL = re.compile(r"\brm\s+-\S")
_LISTS = "/var/lib/apt/lists"
_COMMANDS = re.compile(r"[;&|\n]")
_CD = re.compile(r"cd\s+([^\s;&|]+)\s*(?:(&&|;)\s*(.+))?\Z", re.DOTALL)
_PIP = re.compile(r"\bpip3?\s+install\b")
_REQUIREMENTS = re.compile(r"\s(?:-r|--requirement)\b")
_DEPENDENCIES = re.compile(
    r"\b(?:npm\s+(?:ci|install|i)\b|yarn\s+install\b"
    r"|pnpm\s+install\b|poetry\s+install\b|uv\s+sync\b|bundle\s+install\b|go\s+mod\s+download\b"
    r"|cargo\s+fetch\b|composer\s+install\b|mvn\s+\S*dependency:)"
)
_FILES = {
    "pip": "requirements.txt", "npm": "package*.json", "yarn": "package.json yarn.lock",
    "pnpm": "package.json pnpm-lock.yaml", "poetry": "pyproject.toml poetry.lock", "uv": "pyproject.toml uv.lock",
    "bundle": "Gemfile*", "go": "go.mod go.sum", "cargo": "Cargo.*", "composer": "composer.*", "mvn": "pom.xml",
}  # fmt: skip
_MOST_INSTALLS = 10
_ARCHIVE = re.compile(r"\.(?:tar|tar\.\w+|tgz|tbz2?|txz|tzst)\Z", re.IGNORECASE)


def _shell(instruction: Instruction) -> str:
    """What a RUN gives to the shell, its here-documents too; empty for anything else."""
    if not isinstance(instruction, Run):
        return ""
    return "\n".join([" ".join(instruction.command.args), *(each.content for each in instruction.heredocs)])


def _commands(text: str) -> list[str]:
    """A shell's text cut where a command ends, near enough; a line that goes on in the next is one."""
    return _COMMANDS.split(text.replace("\\\n", " "))


def _installs(subject: Subject) -> Iterator[tuple[Run, str, str]]:
    """Each ``apt-get install``, ten of a RUN at most: its RUN, the whole text, the command."""
    for _, instruction in subject.instructions:
        text = _shell(instruction)
        for match in islice(_INSTALL.finditer(text), _MOST_INSTALLS):
            assert isinstance(instruction, Run)
            yield instruction, text, match.group().strip()


def apt_update(subject: Subject) -> Iterator[Found]:
    """``apt-get update`` in another RUN than the install: the cache keeps an old list."""
    for instruction, text, command in _installs(subject):
        if not _UPDATE.search(text):
            message = "apt-get install without apt-get update in the same RUN"
            yield Found(instruction.line, message, f"RUN apt-get update && {command}")


def apt_clean(subject: Subject) -> Iterator[Found]:
    """The package lists stay in the layer."""
    for instruction, text, command in _installs(subject):
        mounted = any(mount.target.startswith(("/var/lib/apt", "/var/cache/apt")) for mount in instruction.mounts)
        if not _cleaned(text) and not mounted:
            better = f"RUN apt-get update && {command} && rm -rf /var/lib/apt/lists/*"
            yield Found(instruction.line, "apt-get install leaves the package lists in the layer", better)


def _cleaned(text: str) -> bool:
    """Does one command remove the lists?"""
    removals = ((command, _REMOVAL.search(command)) for command in _commands(text) if _LISTS in command)
    return any(removal is not None and _LISTS in command[removal.end() :] for command, removal in removals)


def apt_recommends(subject: Subject) -> Iterator[Found]:
    """Packages that were only recommended come along."""
    for instruction, _, command in _installs(subject):
        if "--no-install-recommends" not in command and "Install-Recommends" not in command:
            better = re.sub(r"\binstall\b", "install --no-install-recommends", command, count=1)
            yield Found(instruction.line, "apt-get install without --no-install-recommends", f"RUN … {better} …")


def apt_yes(subject: Subject) -> Iterator[Found]:
    """It asks, and there is nobody to answer."""
    for instruction, _, command in _installs(subject):
        if not _YES.search(command):
            better = re.sub(r"\binstall\b", "install -y", command, count=1)
            yield Found(instruction.line, "apt-get install without -y asks, and nobody answers", f"RUN … {better} …")


def cd(subject: Subject) -> Iterator[Found]:
    """``RUN cd DIR`` has an end with its RUN."""
    for _, instruction in subject.instructions:
        if not isinstance(instruction, Run) or not instruction.command.shell or instruction.heredocs:
            continue
        match = _CD.match(instruction.command.args[0].strip())
        if match is not None:
            alone = not match[3]
            message = f"cd {match[1]} " + ("has no effect after its RUN" if alone else "in RUN in place of WORKDIR")
            better = f"WORKDIR {match[1]}" + ("" if alone else f"\nRUN {match[3].strip()}")
            yield Found(instruction.line, message, better)


def copy_all_first(subject: Subject) -> Iterator[Found]:
    """The whole context is copied before the dependencies are installed."""
    for stage in subject.dockerfile.stages:
        whole: Instruction | None = None
        for instruction in stage.instructions:
            if _takes_all(instruction):
                whole = whole or instruction
            tool = _installer(_shell(instruction)) if whole is not None else ""
            if whole is not None and tool:
                message = f"the whole context is copied before line {instruction.line} installs the dependencies"
                better = f"COPY {_FILES.get(tool, '…')} ./\n{instruction.original}\n{whole.original}"
                yield Found(whole.line, message, better)
                break


def _installer(text: str) -> str:
    """The program that installs what files of the context name, or an empty string."""
    for command in _commands(text):
        pip = _PIP.search(command)
        if pip is not None and _REQUIREMENTS.search(command, pip.end()):
            return "pip"
    match = _DEPENDENCIES.search(text)
    return re.split(r"\s", match.group())[0] if match is not None else ""


def _takes_all(instruction: Instruction) -> bool:
    if not isinstance(instruction, Copy | Add) or (isinstance(instruction, Copy) and instruction.from_):
        return False
    return any(source in (".", "./", "/") for source in instruction.sources)


def add(subject: Subject) -> Iterator[Found]:
    """ADD of what COPY copies as well."""
    for _, instruction in subject.instructions:
        if not isinstance(instruction, Add) or instruction.unpack:
            continue
        plain = all(
            "://" not in each and "$" not in each and not each.startswith("git@") for each in instruction.sources
        )
        archives = any(_ARCHIVE.search(each) or "*" in each for each in instruction.sources)
        if plain and not archives:
            yield Found(instruction.line, "ADD where COPY would do", "COPY" + instruction.original[3:])


def latest(subject: Subject) -> Iterator[Found]:
    """An image whose content changes under its name."""
    stages: set[str] = {"scratch"}
    for stage in subject.dockerfile.stages:
        image = stage.from_.image
        name, _, tag = image.rpartition("/")[2].partition(":")
        pinned = "@" in image or "$" in image or (tag and tag != "latest")
        if image.lower() not in stages and not pinned and not image.startswith("lab/"):
            better = stage.from_.original.replace(image, f"{image.removesuffix(':latest')}:VERSION", 1)
            yield Found(stage.from_.line, f"{name} without a version is another image some day", better)
        if stage.name:
            stages.add(stage.name)
