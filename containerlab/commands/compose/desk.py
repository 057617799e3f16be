"""What every verb of ``compose`` works with: the options before the verb, the project, the engine."""

from __future__ import annotations

__all__ = ["Desk", "pass_desk"]

import os
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import click
import msgspec

from containerlab.commands import names
from containerlab.commands.compose.board import Board
from containerlab.commands.compose.kept import Shelf
from containerlab.commands.context import Context
from containerlab.compose.apply import apply
from containerlab.compose.config import raw, service_hash
from containerlab.compose.deeds import Doer, Told
from containerlab.compose.document import MAX_BYTES
from containerlab.compose.ending import plan_stop
from containerlab.compose.load import load, load_tree
from containerlab.compose.model import Project
from containerlab.compose.nodes import Fields
from containerlab.compose.observe import Instance, Observed, observe
from containerlab.compose.select import select
from containerlab.compose.steps import Plan
from containerlab.errors import NotFound, UsageError


@dataclass
class Desk:
    """``files`` are those of ``-f``; ``body`` a cell's text, which is kept under its name and stands for the file."""

    context: Context
    files: tuple[str, ...] = ()
    project_name: str | None = None
    directory: Path | None = None
    profiles: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()
    ansi: str = "auto"
    parallel: int = 16
    body_is_input: bool = False  # of ``exec`` and ``run``, whose program reads it
    _warned: set[str] = field(default_factory=set)

    @cached_property
    def project(self) -> Project:
        """Read and checked. Raises ComposeError, which names file, line and column."""
        project = self._load()
        for warning in project.warnings:
            self.warn(warning)
        return project

    @cached_property
    def known_project(self) -> Project | None:
        """None where only a name is given (``-p``) and no file is to be found: labels must do then."""
        named = self.project_name or os.environ.get("COMPOSE_PROJECT_NAME")
        if named and not self.files and self._body is None and not self._has_file():
            return None
        return self.project

    @property
    def name(self) -> str:
        project = self.known_project
        return project.name if project else str(self.project_name or os.environ["COMPOSE_PROJECT_NAME"])

    @property
    def coloured(self) -> bool:
        if self.ansi != "auto":
            return self.ansi == "always"
        return not self.context.notebook and "NO_COLOR" not in os.environ and sys.stdout.isatty()

    def warn(self, text: str) -> None:
        """Once each."""
        if text not in self._warned:
            self._warned.add(text)
            self.context.output.notice(f"WARNING: {text}")

    def observe(self) -> Observed:
        return observe(self.context.client, self.name)

    def selected(self, services: Collection[str], *, dependencies: bool = True) -> Project:
        """The project with the named services alone (all without names) and what they depend on.

        Raises NotFound for a name that no file has.
        """
        self.check_names(services)
        if not services:
            return self.project
        project = select(self.project, list(services))
        mine = {name: one for name, one in project.services.items() if dependencies or name in services}
        rest = {name: one for name, one in {**self.project.services, **project.services}.items() if name not in mine}
        # What isn't asked for is still the project's, and no orphan.
        return msgspec.structs.replace(project, services=mine, disabled={**project.disabled, **rest})

    def check_names(self, services: Iterable[str]) -> None:
        project = self.known_project
        if project is None:
            return
        known = {*project.services, *project.disabled}
        for name in services:
            if name not in known:
                raise NotFound(f"no such service: {name}", hint=names.hint(name, known))

    def containers(
        self, services: Collection[str] = (), *, everything: bool = True, oneoff: bool = False
    ) -> list[Instance]:
        """The project's containers, of the named services alone where some are named. Raises NotFound for a name that
        nobody knows."""
        seen = self.observe()
        known = {one.service for one in seen.instances}
        if self.known_project is not None:
            known |= {*self.known_project.services, *self.known_project.disabled}
        for name in services:
            if name not in known:
                raise NotFound(f"no such service: {name}", hint=names.hint(name, known))
        found = [
            one
            for one in seen.instances
            if (oneoff or not one.oneoff)
            and (not services or one.service in services)
            and (everything or one.state in ("running", "paused", "restarting"))
        ]
        return sorted(found, key=lambda one: (one.service, one.oneoff, one.number, one.name))

    def one_container(self, service: str, index: int = 0) -> Instance:
        """A running container of ``service``, the first or that of number ``index``. Raises NotFound."""
        ones = [one for one in self.containers([service], everything=False) if not index or one.number == index]
        if not ones:
            number = f" container #{index}" if index else ""
            raise NotFound(f'service "{service}" is not running{number}', hint=f"`compose up {service}` starts it.")
        return ones[0]

    def carry_out(
        self,
        plan: Plan,
        project: Project | None = None,
        seen: Observed | None = None,
        *,
        board: Board | None = None,
        wait_timeout: float | None = None,
        on_start: Callable[[str, str, bool], None] | None = None,
        quiet: frozenset[str] = frozenset(),
    ) -> Board:
        """Do the plan's steps, and tell of each; ``quiet`` are words not worth telling."""
        shown = board or Board()
        lock = threading.Lock()

        def tell(told: Told) -> None:
            with lock:
                shown.hear(told, told.word not in quiet)
                self.context.output.services(shown)

        for warning in plan.warnings:
            self.warn(warning)
        for one in plan.kept:
            tell(Told("Container", one.name, "Running" if one.state == "running" else "Created", "done", one.service))
        cancelled = threading.Event()
        doer = Doer(
            self.context.client, project or self._stand_in(), seen or Observed(), self.digests(project), tell,
            cancelled=cancelled, wait_timeout=wait_timeout, on_start=on_start,
        )  # fmt: skip
        try:
            apply(plan, doer.do, parallel=self.parallel, cancelled=cancelled)
        finally:
            shown.ended = True
            self.context.output.services(shown)
        return shown

    def stop(self, project: Project, timeout: int | None) -> None:
        """Stop the services of ``project``, dependents first; an interrupt kills what is left."""
        ones = [one for one in self.containers() if one.service in project.services]
        try:
            self.carry_out(plan_stop(project, ones, timeout), project)
        except KeyboardInterrupt:
            for one in self.containers(everything=False):
                if one.service in project.services:
                    self.context.client.api.kill(one.id)
            raise

    def doer(self, project: Project, seen: Observed) -> Doer:
        """For a deed of one's own (``run``)."""
        return Doer(self.context.client, project, seen, self.digests(project), lambda told: None)

    def digests(self, project: Project | None) -> dict[str, str]:
        return {name: service_hash(project, service) for name, service in project.services.items()} if project else {}

    def tell_orphans(self, ones: Sequence[Instance]) -> None:
        if ones and os.environ.get("COMPOSE_IGNORE_ORPHANS", "").lower() not in ("1", "true"):
            listed = " ".join(one.name for one in ones)
            self.warn(
                f"Found orphan containers ([{listed}]) for this project. If you removed or renamed this service in "
                "your compose file, you can run this command with the --remove-orphans flag to clean it up."
            )

    @property
    def _body(self) -> bytes | None:
        return None if self.body_is_input else self.context.body

    def _stand_in(self) -> Project:
        return self.known_project or Project(name=self.name, working_dir=Path.cwd())

    def _has_file(self) -> bool:
        folder = self.directory or Path.cwd()
        if self.context.notebook and Shelf(Path.cwd()).get(()) is not None:
            return True
        kin = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
        return "COMPOSE_FILE" in os.environ or any((folder / name).exists() for name in kin)

    def _load(self) -> Project:
        chosen, body = self._sources()
        return load(
            chosen, **body, project_name=self._project_name(body), project_directory=self.directory,
            env_files=self.env_files, profiles=self.profiles, environ=os.environ,
        )  # fmt: skip

    def _project_name(self, body: dict[str, str]) -> str | None:
        """``-p``, else what a kept cell was brought up as; a cell's own text decides where it was left to it."""
        if self.project_name or "COMPOSE_PROJECT_NAME" in os.environ or self._body is not None or not body:
            return self.project_name
        return Shelf(Path.cwd()).project(body["body_name"])

    def unfilled(self) -> str:
        """The files merged, as YAML, their variables still in them. Raises ComposeError."""
        return raw(*self._unfilled())

    def unfilled_tree(self) -> Fields:
        return self._unfilled()[1]

    def _unfilled(self) -> tuple[str, Fields]:
        chosen, body = self._sources()
        return load_tree(
            chosen, **body, project_name=self._project_name(body), project_directory=self.directory,
            env_files=self.env_files, environ=os.environ,
        )  # fmt: skip

    def _sources(self) -> tuple[list[Path] | None, dict[str, str]]:
        """The files, or the text that stands for them (``body``) with its name: a cell's, kept under it, or standard
        input (``-f -``)."""
        shelf = Shelf(Path.cwd())
        if self._body is not None:
            if len(self.files) > 1:
                raise UsageError("A cell is one file: -f can name it, once.")
            text = self._body.decode()
            named = self.project_name or os.environ.get("COMPOSE_PROJECT_NAME")
            return None, {"body": text, "body_name": shelf.put(self.files[0] if self.files else None, text, named)}
        if self.files == ("-",) and self.context.stdin_fd is not None:
            return None, {"body": self._standard_input, "body_name": "stdin"}
        found = shelf.get(self.files) if self.context.notebook else None
        if found is not None:
            return None, {"body": found[1], "body_name": found[0]}
        return [Path(word) for word in self.files] or None, {}

    @cached_property
    def _standard_input(self) -> str:
        assert self.context.stdin_fd is not None
        with open(self.context.stdin_fd, "rb", closefd=False) as stream:
            content = stream.read(MAX_BYTES + 1)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError("What stands on standard input is not UTF-8 text.") from error


pass_desk = click.make_pass_decorator(Desk)
