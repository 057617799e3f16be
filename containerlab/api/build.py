"""``POST /build``: the classic builder's request, from its query to its stream of messages.

Every parameter of https://docs.docker.com/reference/api/engine/version/v1.43/#tag/Image/operation/ImageBuild is
either passed on or refused by name. ``rm`` and ``forcerm`` change nothing: a step leaves no container behind.
The build room is imported by the first build: an engine at rest doesn't carry it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from containerlab.api.keys import Routes, engine_of
from containerlab.api.lifetime import ends_with_client
from containerlab.api.registries import accounts
from containerlab.api.requests import flag, integer, json_body, json_parameter, refuse, text
from containerlab.api.spool import spooled
from containerlab.api.streams import Emit, json_answer, message_stream
from containerlab.errors import InvalidParameter

if TYPE_CHECKING:
    from containerlab.build.context import Context
    from containerlab.build.options import BuildOptions, Resources

__all__ = ["DIRECTORY_SCHEME", "ROUTES"]

DIRECTORY_SCHEME = "containerlab-directory:"
"""``remote`` with this in front is a folder of this host, which the engine reads where it lies.

No gate is opened by it: whoever reaches the socket has the engine's own uid (or is root).
"""

_CONTEXT_LIMIT = 8 * 1024**3

_REFUSED = {
    "cgroupparent": "steps run in cgroups below the engine's own",
    "securityopt": "steps run with the default profile",
    "ulimits": "steps run with the engine's own limits",
    "session": "there is no BuildKit session here; use the classic builder (DOCKER_BUILDKIT=0)",
}


@ends_with_client
async def _build(request: web.Request) -> web.StreamResponse:
    """A client that leaves cancels its build."""
    options = _options(request)
    show_steps = flag(request, "containerlab")
    known = accounts(request)

    async def work(emit: Emit) -> None:
        context = await _context(request)
        try:
            told = emit if show_steps else _dockers_own(emit)
            await engine_of(request).builds.build(context, options, told, known)
        finally:
            engine_of(request).builds.let_go(context)

    return await message_stream(request, work)


async def _check(request: web.Request) -> web.Response:
    """The build's request, of which only the Dockerfile is looked at."""
    options = _options(request)
    context = await _context(request)
    try:
        return json_answer(await engine_of(request).builds.check(context, options))
    finally:
        engine_of(request).builds.let_go(context)


def _dockers_own(emit: Emit) -> Emit:
    """Drop the messages that only our own front ends know."""

    def passed(message: dict[str, Any]) -> None:
        if "containerlab" not in message:
            emit(message)

    return passed


def _options(request: web.Request) -> BuildOptions:
    from containerlab.build.options import BuildOptions

    for name, why in _REFUSED.items():
        refuse(request, name, why)
    if text(request, "version") == "2":
        raise InvalidParameter("version=2 (BuildKit) is not supported: use the classic builder (DOCKER_BUILDKIT=0)")
    if (text(request, "isolation") or "default") != "default":
        raise InvalidParameter("isolation is a Windows option")
    options = BuildOptions(
        tags=tuple(tag for tag in request.query.getall("t", []) if tag),
        dockerfile=text(request, "dockerfile") or "Dockerfile",
        build_args=_string_map(request, "buildargs", optional=True),
        labels={name: value or "" for name, value in _string_map(request, "labels").items()},
        target=text(request, "target") or "",
        platform=text(request, "platform") or "",
        no_cache=flag(request, "nocache"),
        pull=flag(request, "pull"),
        quiet=flag(request, "q"),
        network_mode=text(request, "networkmode") or "",
        extra_hosts=_extra_hosts(request),
        shm_size=integer(request, "shmsize"),
        resources=_resources(request),
        squash=flag(request, "squash"),
        cache_from=_strings(json_parameter(request, "cachefrom"), "cachefrom"),
        secrets=_secrets(request),
        outputs=("outputs",) if json_parameter(request, "outputs") else (),
    )
    options.check()
    return options


def _secrets(request: web.Request) -> Mapping[str, bytes]:
    token = text(request, "secrets")
    return engine_of(request).builds.secrets.take(token) if token else {}


def _resources(request: web.Request) -> Resources:
    from containerlab.build.options import Resources

    return Resources(
        memory=integer(request, "memory"),
        memory_swap=integer(request, "memswap"),
        cpu_shares=integer(request, "cpushares"),
        cpu_period=integer(request, "cpuperiod"),
        cpu_quota=integer(request, "cpuquota"),
        cpuset_cpus=text(request, "cpusetcpus") or "",
        cpuset_mems=text(request, "cpusetmems") or "",
    )


def _extra_hosts(request: web.Request) -> tuple[str, ...]:
    """The docker client repeats the parameter, docker-py sends one list as JSON."""
    given = [value for value in request.query.getall("extrahosts", []) if value]
    if len(given) == 1 and given[0].startswith(("[", "null")):
        return _strings(json_parameter(request, "extrahosts"), "extrahosts")
    return tuple(given)


def _string_map(request: web.Request, name: str, *, optional: bool = False) -> Mapping[str, str | None]:
    given = json_parameter(request, name)
    if given is None:
        return {}
    accepted: tuple[type, ...] = (str, type(None)) if optional else (str,)
    if not isinstance(given, dict) or not all(isinstance(value, accepted) for value in given.values()):
        raise InvalidParameter(f"invalid {name}: expected a JSON object of strings")
    return given


def _strings(given: object, name: str) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(value, str) for value in given):
        raise InvalidParameter(f"invalid {name}: expected a JSON list of strings")
    return tuple(given)


async def _context(request: web.Request) -> Context:
    """The request's body as a tar, or the folder that ``remote`` names."""
    from containerlab.build.context import Context

    remote = text(request, "remote")
    if remote and remote.startswith(DIRECTORY_SCHEME):
        folder = Path(remote.removeprefix(DIRECTORY_SCHEME))
        if not folder.is_absolute():
            raise InvalidParameter(f"remote={remote}: the folder's path must be absolute")
        return await asyncio.to_thread(Context.from_directory, folder, dockerfile=await _text(request))
    if remote:
        raise InvalidParameter(f"remote={remote} is not supported: send the context as a tar")
    store = engine_of(request).settings.store
    scratch = store / "tmp" / f"context-{uuid.uuid4().hex}"
    async with spooled(request, store / "tmp", what="the build context", most=_CONTEXT_LIMIT) as spool:
        return await asyncio.to_thread(Context.from_tar, spool, scratch)


async def _text(request: web.Request) -> bytes | None:
    """The body beside a folder: a Dockerfile that isn't in it. None when it is empty."""
    text = await request.read()
    return text or None


async def _leave_secrets(request: web.Request) -> web.Response:
    """For ``POST /build?secrets=TOKEN``."""
    return json_answer({"token": engine_of(request).builds.secrets.leave(await json_body(request))})


ROUTES: Routes = (
    ("POST", "/build", _build),
    ("POST", "/containerlab/build-check", _check),
    ("POST", "/containerlab/build-secrets", _leave_secrets),
)
