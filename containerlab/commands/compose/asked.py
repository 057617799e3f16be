"""What was said on the line of ``up`` or ``create``, and whether it goes together."""

from __future__ import annotations

__all__ = ["Asked"]

from dataclasses import dataclass
from typing import Any

from containerlab.compose.model import Project
from containerlab.compose.plan import UpOptions
from containerlab.errors import NotFound, UsageError


@dataclass
class Asked:
    """Each option of both under its own name."""

    services: tuple[str, ...] = ()
    detach: bool = False
    build: bool = False
    no_build: bool = False
    scale: tuple[str, ...] = ()
    wait: bool = False
    wait_timeout: int | None = None
    force_recreate: bool = False
    no_recreate: bool = False
    no_deps: bool = False
    no_start: bool = False
    remove_orphans: bool = False
    abort_on_container_exit: bool = False
    abort_on_container_failure: bool = False
    exit_code_from: str | None = None
    timeout: int | None = None
    pull: str | None = None
    renew_anon_volumes: bool = False
    quiet_pull: bool = False
    quiet_build: bool = False
    no_color: bool = False
    no_log_prefix: bool = False
    timestamps: bool = False
    attach: tuple[str, ...] = ()
    no_attach: tuple[str, ...] = ()

    @property
    def watched(self) -> bool:
        """Somebody waits for a container's end, so the output is shown until then."""
        return bool(self.abort_on_container_exit or self.abort_on_container_failure or self.exit_code_from)

    def check(self) -> None:
        """Raises UsageError for what doesn't go together, in docker compose's words."""
        if self.build and self.no_build:
            raise UsageError("--build and --no-build are incompatible")
        if self.force_recreate and self.no_recreate:
            raise UsageError("--force-recreate and --no-recreate are incompatible")
        if self.no_recreate and self.renew_anon_volumes:
            raise UsageError("--no-recreate and --renew-anon-volumes are incompatible")
        if self.wait and self.watched:
            raise UsageError("--wait cannot be combined with --abort-on-container-exit, --attach or --exit-code-from")
        if self.detach and (self.watched or self.attach):
            raise UsageError("--detach cannot be combined with --abort-on-container-exit or --attach")
        if self.abort_on_container_exit and self.abort_on_container_failure:
            raise UsageError("--abort-on-container-failure cannot be combined with --abort-on-container-exit")
        if self.wait_timeout is not None and self.wait_timeout < 0:
            raise UsageError("--wait-timeout must be a non-negative integer")

    def scales(self, project: Project) -> dict[str, int]:
        found = {}
        for word in self.scale:
            name, _, number = word.partition("=")
            if not number.isdecimal():
                raise UsageError(f"invalid --scale option {word!r}. Should be SERVICE=NUM")
            if name not in project.services:
                raise NotFound(f"no such service: {name}")
            found[name] = int(number)
        return found

    def options(self, project: Project, *, waiting: bool, lenient: bool) -> UpOptions:
        recreate: Any = "force" if self.force_recreate else "never" if self.no_recreate else "diverged"
        return UpOptions(
            targets=frozenset(self.services),
            recreate=recreate,
            start=not self.no_start,
            scale=self.scales(project),
            renew_volumes=self.renew_anon_volumes,
            remove_orphans=self.remove_orphans,
            timeout=self.timeout,
            wait=waiting,
            ended_is_well=lenient,
        )
