"""``up`` without ``-d``: the output of all, until they end or the person has had enough."""

from __future__ import annotations

__all__ = ["stay"]

import threading

from containerlab.commands.compose.asked import Asked
from containerlab.commands.compose.desk import Desk
from containerlab.commands.compose.follow import Printer, Streams, unix
from containerlab.commands.result import Lines, Result
from containerlab.compose.model import Project
from containerlab.compose.observe import Observed
from containerlab.compose.steps import Create, Plan, Recreate, Start
from containerlab.errors import NotFound

_QUIET = frozenset({"Starting", "Started", "Running"})


def stay(desk: Desk, project: Project, seen: Observed, plan: Plan, asked: Asked) -> Result:
    """Carry the plan out and show what the containers write.

    An interrupt stops the services and is raised again; a second one kills them.
    """
    return _Stay(desk, project, seen, plan, asked).run()


class _Stay:
    def __init__(self, desk: Desk, project: Project, seen: Observed, plan: Plan, asked: Asked) -> None:
        self._desk, self._project, self._seen, self._plan, self._asked = desk, project, seen, plan, asked
        if asked.exit_code_from and asked.exit_code_from not in project.services:
            raise NotFound(f"no such service: {asked.exit_code_from}")
        self._shown = self._services()
        self._titles = {
            name: name.removeprefix(f"{project.name}-")
            for name, service in self._names().items()
            if service in self._shown
        }
        self._fresh = {deed.name for deed in plan.deeds() if isinstance(deed, (Create, Recreate))}
        self._printer = Printer(
            desk.context.output, list(self._titles.values()),
            coloured=desk.coloured and not asked.no_color, prefixed=not asked.no_log_prefix,
        )  # fmt: skip
        self._streams = Streams(desk.context.client, self._printer, timestamps=asked.timestamps, on_exit=self._on_exit)
        self._code = 0
        self._over = threading.Event()
        self._told = False
        self._lock = threading.Lock()

    def _services(self) -> set[str]:
        asked = self._asked
        self._desk.check_names([*asked.attach, *asked.no_attach])
        chosen = set(asked.attach or asked.services or self._project.services)
        return {
            name for name in chosen if name not in asked.no_attach and name in self._project.services
            and (self._project.services[name].attach or name in asked.attach)
        }  # fmt: skip

    def _names(self) -> dict[str, str]:
        """Every container of the plan, and its service, in order of their names."""
        found = {deed.name: deed.service for deed in self._plan.deeds() if isinstance(deed, Start)}
        found |= {one.name: one.service for one in self._plan.kept}
        return dict(sorted(found.items()))

    def run(self) -> Result:
        try:
            self._follow_the_running()
            self._desk.carry_out(self._plan, self._project, self._seen, on_start=self._on_start, quiet=_QUIET)
            self._wait()
        except KeyboardInterrupt:
            self._desk.context.output.notice("Gracefully stopping... (press Ctrl+C again to force)")
            self._stop()
            raise
        except BaseException:
            self._streams.closed.set()
            raise
        if self._over.is_set():
            self._desk.context.output.notice("Aborting on container exit...")
            self._stop()
            self._streams.wait()
        result = Lines([], exit_code=self._code)
        return result

    def _wait(self) -> None:
        watched = self._asked.watched
        while not (watched and self._over.is_set()) and self._streams.alive():
            self._over.wait(0.1) if watched else self._streams.wait(0.2)

    def _follow_the_running(self) -> None:
        for one in self._plan.kept:
            if one.name in self._titles and one.state == "running":
                self._begin(one.service, one.name, tail="0")

    def _on_start(self, service: str, name: str, before: bool) -> None:
        """After a start: of a new container all of its log, of an older one what it writes from then on."""
        if before:
            self._tell()
            return
        if name in self._titles:
            since = {}
            if name not in self._fresh:
                state = self._desk.context.client.api.inspect_container(name)["State"]
                since = {"since": unix(state["StartedAt"])}
            self._begin(service, name, **since)

    def _begin(self, service: str, name: str, **params: str) -> None:
        self._tell()
        self._streams.follow(service, name, self._titles[name], **params)

    def _tell(self) -> None:
        with self._lock:
            if not self._told:
                self._told = True
                self._desk.context.output.stdout(f"Attaching to {', '.join(self._titles.values())}\n".encode())

    def _on_exit(self, service: str, name: str, code: int) -> None:
        asked = self._asked
        if not asked.watched:
            return
        with self._lock:
            if self._over.is_set():
                if service == asked.exit_code_from:
                    self._code = code
                return
            if asked.abort_on_container_failure and not code:
                return
            if asked.exit_code_from in (None, service):
                self._code = code
            self._over.set()

    def _stop(self) -> None:
        """All of this ``up``'s services, dependents first; a second interrupt kills what is left."""
        try:
            self._desk.stop(self._project, self._asked.timeout)
        finally:
            self._streams.closed.set()
