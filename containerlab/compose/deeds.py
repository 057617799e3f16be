"""The steps of a plan, each done by calls of the engine's API."""

from __future__ import annotations

__all__ = ["Doer", "Told"]

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import docker.errors

from containerlab.compose import labels
from containerlab.compose.apply import Cancelled
from containerlab.compose.blobs import archive
from containerlab.compose.model import Project, Service
from containerlab.compose.observe import Instance, Observed
from containerlab.compose.payload import (
    Inherited,
    Payload,
    create_payload,
    endpoint,
    extra_networks,
    image_name,
    network_payload,
)
from containerlab.compose.steps import (
    Await,
    Create,
    Deed,
    MakeNetwork,
    MakeVolume,
    Recreate,
    Remove,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    Rename,
    Restart,
    Start,
    Stop,
)
from containerlab.compose.waiting import ended_well, is_healthy
from containerlab.errors import InvalidParameter, StartFailed

_IN_USE = (403, 409)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25


@dataclass(frozen=True)
class Told:
    """A word about a resource: ``Container web-1 Started``. ``state`` is working, done, warning or error."""

    kind: str
    name: str
    word: str
    state: str = "working"
    service: str = ""

    def __str__(self) -> str:
        return f" {self.kind} {self.name}  {self.word}"


class Doer:
    """Does deeds; for threads.

    ``tell`` hears of every step. ``ids`` gathers the containers that were made or started, by service, in order.
    ``wait_timeout`` (seconds) ends what ``--wait`` waits for.
    """

    def __init__(
        self,
        client: Any,
        project: Project,
        seen: Observed,
        digests: Mapping[str, str],
        tell: Callable[[Told], None],
        *,
        cancelled: threading.Event | None = None,
        wait_timeout: float | None = None,
        on_start: Callable[[str, str, bool], None] | None = None,
    ) -> None:
        """``on_start`` is called with the service and the container's name, right before its start (True) and after."""
        self.client, self.project, self.seen, self.digests = client, project, seen, digests
        self.cancelled = cancelled or threading.Event()
        self._tell, self._on_start, self._wait_timeout = tell, on_start, wait_timeout
        self._deadline = None if wait_timeout is None else time.monotonic() + wait_timeout
        self._first: dict[str, str] = {}
        for one in reversed(seen.instances):
            if not one.oneoff:
                self._first.setdefault(one.service, one.id)

    def do(self, deed: Deed) -> None:
        """Raises docker.errors.APIError, StartFailed for a dependency that didn't come up."""
        match deed:
            case MakeNetwork():
                self._make_network(deed)
            case MakeVolume():
                self._make_volume(deed)
            case Create():
                self._make(deed)
            case Recreate():
                self._recreate(deed)
            case Rename():
                self.client.api.rename(deed.old.id, deed.name)
            case Start():
                self._start(deed)
            case Restart():
                self._words("Container", deed.old.name, "Restarting", "Started", deed.old.service)(
                    lambda: self._restart(deed)
                )
            case Await():
                self._await(deed)
            case Stop():
                self._words("Container", deed.old.name, "Stopping", "Stopped", deed.old.service)(
                    lambda: self._stop(deed.old, deed.timeout)
                )
            case Remove():
                self._remove(deed)
            case RemoveNetwork():
                self._remove_shared("Network", deed.name, lambda: self.client.api.remove_network(deed.name))
            case RemoveVolume():
                self._remove_shared("Volume", deed.name, lambda: self.client.api.remove_volume(deed.name))
            case RemoveImage():
                self._remove_shared("Image", deed.name, lambda: self.client.api.remove_image(deed.name))

    def _words(
        self, kind: str, name: str, doing: str, done: str, service: str = ""
    ) -> Callable[[Callable[[], None]], None]:
        """Tell before, after, and of a failure."""

        def around(act: Callable[[], None]) -> None:
            self._tell(Told(kind, name, doing, service=service))
            try:
                act()
            except Exception as error:
                if not isinstance(error, Cancelled):
                    self._tell(Told(kind, name, "Error", "error", service))
                raise
            self._tell(Told(kind, name, done, "done", service))

        return around

    # Networks and volumes

    def _make_network(self, deed: MakeNetwork) -> None:
        network = self.project.networks[deed.key]
        body = network_payload(network, labels.of_network(self.project, deed.key))
        api = self.client.api
        self._words("Network", network.name, "Creating", "Created")(
            lambda: api._result(api._post_json(api._url("/networks/create"), data=body), json=True)
        )

    def _make_volume(self, deed: MakeVolume) -> None:
        volume = self.project.volumes[deed.key]
        said = labels.of_volume(self.project, deed.key)
        self._words("Volume", volume.name, "Creating", "Created")(
            lambda: self.client.api.create_volume(
                volume.name, volume.driver or None, dict(volume.driver_opts) or None, said
            )
        )

    def _remove_shared(self, kind: str, name: str, remove: Callable[[], object]) -> None:
        """What somebody else uses stays, with a word; what is gone already is no failure."""
        self._tell(Told(kind, name, "Removing"))
        try:
            remove()
        except docker.errors.NotFound:
            self._tell(Told(kind, name, "No resource found to remove", "warning"))
        except docker.errors.APIError as error:
            if error.response is None or error.response.status_code not in _IN_USE:
                self._tell(Told(kind, name, "Error", "error"))
                raise
            self._tell(Told(kind, name, "Resource is still in use", "warning"))
        else:
            self._tell(Told(kind, name, "Removed", "done"))

    # Containers

    def _make(self, deed: Create) -> None:
        service = self.project.services[deed.service]
        self._words("Container", deed.name, "Creating", "Created", deed.service)(
            lambda: self._first_of(deed.service, self.create(service, deed.number, deed.name))
        )

    def _first_of(self, service: str, identifier: str) -> None:
        self._first.setdefault(service, identifier)

    def create(
        self,
        service: Service,
        number: int,
        name: str,
        *,
        old: Instance | None = None,
        inherited: Inherited | None = None,
        more: Mapping[str, str] | None = None,
        aliases: bool = True,
        tweak: Callable[[Payload], None] | None = None,
    ) -> str:
        """A container with all that its start needs; gives its id. Nothing is left of one that can't be completed.

        ``tweak`` may change the request's body.
        """
        api, image = self.client.api, image_name(self.project, service)
        said = labels.of_container(
            self.project, service, number, self.digests.get(service.name, ""), self.seen.images.get(image, "")
        )
        said |= {labels.REPLACE: old.id} if old else {}
        body = create_payload(
            self.project, service, number, said={**said, **(more or {})}, container_of=self._container_of,
            inherited=inherited, aliases=aliases,
        )  # fmt: skip
        if tweak is not None:
            tweak(body)
        answer = api.create_container_from_config(body, name=name, platform=service.platform or None)
        identifier = str(answer["Id"])
        for warning in answer.get("Warnings") or []:
            self._tell(Told("Container", name, f"Warning: {warning}", "warning", service.name))
        try:
            for key in extra_networks(service):
                settings = endpoint(self.project, service, key, number, aliases=aliases)
                self._connect(identifier, self.project.networks[key].name, settings)
            self._fill_in(identifier, service)
        except BaseException:
            api.remove_container(identifier, force=True)
            raise
        return identifier

    def _connect(self, identifier: str, network: str, settings: dict[str, Any]) -> None:
        api = self.client.api
        body = {"Container": identifier, "EndpointConfig": settings}
        api._raise_for_status(api._post_json(api._url("/networks/{0}/connect", network), data=body))

    def _fill_in(self, identifier: str, service: Service) -> None:
        """Secrets and configs that are no files go into the container's own, before its first start."""
        found = archive(self.project, service)
        if found is not None:
            self.client.api.put_archive(identifier, "/", found)

    def _container_of(self, service: str) -> str:
        if service not in self._first:
            raise InvalidParameter(f"cannot share namespace with service {service}: container missing")
        return self._first[service]

    def _recreate(self, deed: Recreate) -> None:
        """The new one beside the old one, so that a failure leaves the old; then the old one makes room."""
        service, api, old = self.project.services[deed.service], self.client.api, deed.old
        passing = f"{old.id[:12]}_{deed.name}"

        def act() -> None:
            inherited = self._anonymous_volumes(old, service) if deed.keep_volumes else None
            made = self.create(service, deed.number, passing, old=old, inherited=inherited)
            self._stop(old, deed.timeout)
            _gone(lambda: api.remove_container(old.id, force=True))
            api.rename(made, deed.name)
            if self._first.get(deed.service) in (old.id, None):
                self._first[deed.service] = made

        self._words("Container", old.name, "Recreate", "Recreated", deed.service)(act)

    def _anonymous_volumes(self, old: Instance, service: Service) -> Inherited:
        """Those of the old container that no mount of the new one takes the place of."""
        taken = {mount.target for mount in service.volumes if mount.source or mount.type == "tmpfs"}
        mounts = self.client.api.inspect_container(old.id).get("Mounts") or []
        anonymous = {mount.target for mount in service.volumes if mount.type == "volume" and not mount.source}
        try:
            config = self.client.api.inspect_image(image_name(self.project, service)).get("Config") or {}
        except docker.errors.NotFound:
            config = {}
        anonymous |= set(config.get("Volumes") or {})
        return Inherited(
            {
                mount["Destination"]: mount["Name"]
                for mount in mounts
                if mount.get("Type") == "volume" and mount["Destination"] in anonymous - taken
            }
        )

    def _start(self, deed: Start) -> None:
        self._words("Container", deed.name, "Starting", "Started", deed.service)(
            lambda: self._begin(deed.service, deed.name)
        )

    def _begin(self, service: str, name: str) -> None:
        if self._on_start is not None:
            self._on_start(service, name, True)
        self.client.api.start(name)
        if self._on_start is not None:
            self._on_start(service, name, False)

    def _restart(self, deed: Restart) -> None:
        self._stop(deed.old, deed.timeout)
        self._begin(deed.old.service, deed.old.name)

    def _stop(self, old: Instance, timeout: int | None) -> None:
        """By the container's own grace period where none is given; longer than that no request may take."""
        api = self.client.api
        params = {} if timeout is None else {"t": timeout}
        url = api._url("/containers/{0}/stop", old.id)
        _gone(lambda: api._raise_for_status(api.post(url, params=params, timeout=None)))

    def _remove(self, deed: Remove) -> None:
        self._words("Container", deed.old.name, "Removing", "Removed", deed.old.service)(
            lambda: _gone(lambda: self.client.api.remove_container(deed.old.id, v=deed.volumes, force=deed.force))
        )

    # Waiting

    def _await(self, deed: Await) -> None:
        waiting = list(deed.names)
        for name in waiting:
            self._tell(Told("Container", name, "Waiting", service=deed.service))
        pause = _FIRST_PAUSE
        try:
            while waiting := [name for name in waiting if not self._fulfilled(deed, name)]:
                if self.cancelled.wait(pause):
                    raise Cancelled
                if deed.or_running and self._deadline is not None and time.monotonic() > self._deadline:
                    raise StartFailed(f"application not healthy after {self._wait_timeout:g}s", exit_code=1)
                pause = min(_LONGEST_PAUSE, pause * 1.5)
        except StartFailed as error:
            if deed.required:
                self._tell(Told("Container", waiting[0], "Error", "error", deed.service))
                raise
            words = f'Skipped: optional dependency "{deed.service}" failed to start'
            self._tell(Told("Container", waiting[0], f"{words}: {error.message}", "warning", deed.service))

    def _fulfilled(self, deed: Await, name: str) -> bool:
        record = self.client.api.inspect_container(name)
        done = (
            ended_well(deed, name, record)
            if deed.condition.endswith("completed_successfully")
            else (is_healthy(deed, name, record))
        )
        if done:
            self._tell(Told("Container", name, done, "done", deed.service))
        return bool(done)


def _gone(act: Callable[[], object]) -> None:
    """What is gone already needs no more."""
    try:
        act()
    except docker.errors.NotFound:
        pass
