"""``login`` and ``logout``: accounts of registries, kept where Docker's own client keeps them.

That is ``config.json`` below ``DOCKER_CONFIG`` or ``~/.docker``, readable by its owner alone. Where it names a
credential store, that program's are the secrets: then Docker's own client must be used.
"""

from __future__ import annotations

__all__ = ["login_command", "logout_command"]

import base64
import getpass
import json
import os
import secrets
from pathlib import Path
from typing import Any

import click

from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Lines, Result
from containerlab.errors import HostLacks, UsageError

_HUB = "https://index.docker.io/v1/"
_MOST = 1 << 20


@verb("login", help="Sign in to a registry; without SERVER to Docker Hub.")
@click.option("-u", "--username", metavar="NAME", help="The account.")
@click.option("-p", "--password", metavar="SECRET", help="Its password; it stays in your shell's history.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.argument("server", required=False)
@pass_context
def login_command(
    context: Context, username: str | None, password: str | None, password_stdin: bool, server: str | None
) -> Result:
    if not username:
        raise UsageError("login needs the account.", hint="Write: login -u NAME [SERVER].")
    if password_stdin:
        password = _stdin(context).rstrip("\r\n")
    elif password is None:
        password = _asked(context)
    if not password:
        raise UsageError("login needs a password.", hint="Give it by --password-stdin.")
    path, given = _read()
    _refuse_stores(given, path)
    answer = context.client.api._post_json(
        context.client.api._url("/auth"),
        data={"username": username, "password": password, "serveraddress": server or _HUB},
    )
    told = context.client.api._result(answer, json=True)
    token = str(told.get("IdentityToken") or "")
    entry = {"auth": base64.b64encode(f"{username}:{'' if token else password}".encode()).decode()}
    given.setdefault("auths", {})[_key(server)] = entry | ({"identitytoken": token} if token else {})
    _write(path, given)
    return Lines([str(told.get("Status") or "Login Succeeded")])


@verb("logout", help="Forget the account of a registry; without SERVER that of Docker Hub.")
@click.argument("server", required=False)
@pass_context
def logout_command(context: Context, server: str | None) -> Result:
    path, given = _read()
    _refuse_stores(given, path)
    key = _key(server)
    if (given.get("auths") or {}).pop(key, None) is None:
        return Lines([f"Not logged in to {key}"])
    _write(path, given)
    return Lines([f"Removing login credentials for {key}"])


def _key(server: str | None) -> str:
    """The name under which the account is kept: the host, or Docker Hub's address."""
    host = (server or _HUB).removeprefix("https://").removeprefix("http://").partition("/")[0]
    return _HUB if host in ("index.docker.io", "docker.io", "registry-1.docker.io") else host


def _read() -> tuple[Path, dict[str, Any]]:
    folder = os.environ.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        with open(path, encoding="utf-8") as file:
            given = json.loads(file.read(_MOST) or "{}")
    except FileNotFoundError:
        return path, {}
    except ValueError as error:
        raise UsageError(f"{path} can't be read: {error}.") from error
    if not isinstance(given, dict) or not isinstance(given.get("auths", {}), dict):
        raise UsageError(f"{path} is not as Docker writes it.")
    return path, given


def _refuse_stores(given: dict[str, Any], path: Path) -> None:
    if given.get("credsStore") or given.get("credHelpers"):
        raise HostLacks(f"{path} names a credential store.", hint="Use `docker login`: its accounts are read here too.")


def _write(path: Path, given: dict[str, Any]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(given, file, indent="\t")
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _stdin(context: Context) -> str:
    if context.body is not None:
        return context.body.decode("utf-8", "replace")
    if context.stdin_fd is None:
        raise UsageError("There is no standard input to read the password from.")
    with open(context.stdin_fd, "rb", closefd=False) as stream:
        return stream.read(_MOST).decode("utf-8", "replace")


def _asked(context: Context) -> str:
    if context.terminal is None and not context.notebook:
        raise UsageError("There is no terminal to type a password at.", hint="Use --password-stdin.")
    return getpass.getpass("Password: ")
