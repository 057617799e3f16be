"""What docker-py and click raise, turned into the one error tree of the package; and a program's non-zero exit."""

from __future__ import annotations

__all__ = ["ContainerExited", "exit_code_of", "start_failure", "translate"]

import json
import re
import signal
from typing import TYPE_CHECKING, Any

import click
import docker.errors
import requests

from containerlab.commands import names
from containerlab.errors import (
    BuildFailed,
    Conflict,
    ContainerlabError,
    EngineUnreachable,
    Forbidden,
    HostLacks,
    InvalidParameter,
    NoSuchContainer,
    NoSuchImage,
    NotFound,
    StartFailed,
    StorageFull,
    UsageError,
)

if TYPE_CHECKING:
    from containerlab.commands.result import Finished

_BY_STATUS: dict[int, type[ContainerlabError]] = {
    400: InvalidParameter, 403: Forbidden, 404: NotFound, 409: Conflict, 501: HostLacks, 507: StorageFull,
}  # fmt: skip
_MAKE_ROOM = "Make room (containerlab system prune), or set CONTAINERLAB_STORE to a folder on a larger file system."
_NO_CONTAINER = re.compile(r"No such container: (\S+)", re.IGNORECASE)
_NO_IMAGE = re.compile(r"No such image: (\S+)", re.IGNORECASE)
_NOT_FOUND = ("executable file not found", "no such file or directory")
_NOT_EXECUTABLE = ("permission denied", "is a directory", "exec format error")


class ContainerExited(ContainerlabError):
    """A program ended with an exit code that isn't 0; ``result`` holds its output.

    The text is the same at every run: it names neither ids nor times.
    """

    def __init__(self, result: Finished) -> None:
        super().__init__(f"{result.what} ended with exit code {result.exit_code}.", hint=_meaning(result.exit_code))
        self.result = result
        self.exit_code = result.exit_code


def _meaning(code: int) -> str:
    if code == 125:
        return "125: the engine could not run it."
    if code == 126:
        return "126: a program was found, but it can't be executed."
    if code == 127:
        return "127: a program was not found."
    if 128 < code < 128 + 65:
        try:
            name = signal.Signals(code - 128).name
        except ValueError:
            return ""
        more = "; killed from outside, or for using more memory than its limit" if name == "SIGKILL" else ""
        return f"{code} is 128 + {code - 128}: ended by signal {name}{more}."
    return ""


def start_failure(message: str, hint: str = "") -> StartFailed:
    """A failed start with the code of docker/cli ``container/run.go``: 127 not found, 126 not executable, else 125."""
    text = message.lower()
    code = 125
    if any(words in text for words in _NOT_FOUND):
        code = 127
    elif any(words in text for words in _NOT_EXECUTABLE):
        code = 126
    # Docker's code goes by words alone: a port that may not be had is 126 too, and has nothing to do with a program.
    told = code != 125 and "external connectivity" not in text
    return StartFailed(message, exit_code=code, hint=hint or (_meaning(code) if told else ""))


def translate(error: BaseException, client: Any = None) -> ContainerlabError | None:
    """``error`` as one of ours, with near names where a name wasn't known; None when it is none of our business."""
    if isinstance(error, ContainerlabError):
        return error
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, docker.errors.APIError):
        return _api(error, client)
    if isinstance(error, docker.errors.BuildError):
        return BuildFailed(str(error.msg))
    if isinstance(error, (requests.ConnectionError, requests.Timeout)):
        return EngineUnreachable(
            f"The engine doesn't answer any more: {_cause(error)}.",
            hint="Run the same command again: it starts the engine anew.",
        )
    if isinstance(error, docker.errors.DockerException):
        return EngineUnreachable(str(error))
    if isinstance(error, ModuleNotFoundError):
        return HostLacks(f"Pictures need {error.name}, which isn't installed.", hint="pip install 'containerlab[lab]'")
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return ContainerlabError(f"A file of yours can't be used:{where} {error.strerror or error}.")
    return None


def exit_code_of(error: ContainerlabError, verb: str) -> int:
    """The code that ``docker`` ends with for the same mistake."""
    if isinstance(error, (ContainerExited, StartFailed)):
        return error.exit_code
    if isinstance(error, UsageError) or verb == "run":
        return 125
    return 1


def _usage(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return UsageError(error.format_message())
    lists = ", which lists the verbs" if isinstance(context.command, click.Group) else ""
    return UsageError(error.format_message(), hint=f"See: {context.command_path} --help{lists}.")


def _api(error: docker.errors.APIError, client: Any) -> ContainerlabError:
    """By status; only *which* name is unknown is read out of the message, to find its neighbours."""
    message = _explanation(error)
    status = error.response.status_code if error.response is not None else 500
    head, _, given_hint = message.partition("\n")
    if status == 404 and client is not None:
        for pattern, kind, known, listing in (
            (_NO_CONTAINER, NoSuchContainer, names.container_names, "`ps -a` lists the containers there are."),
            (_NO_IMAGE, NoSuchImage, names.image_names, "`images` lists the images there are."),
        ):
            found = pattern.search(head)
            if found:
                return kind(found.group(1), hint=given_hint or _near(found.group(1), known, client) or listing)
    kind_of = _BY_STATUS.get(status, ContainerlabError)
    return kind_of(head, hint=given_hint or (_MAKE_ROOM if kind_of is StorageFull else ""))


def _near(name: str, known: Any, client: Any) -> str:
    """Near names are a courtesy: an engine that fails while we ask for them must not hide the first error."""
    try:
        return names.hint(name, known(client))
    except (docker.errors.DockerException, requests.RequestException):
        return ""


def _explanation(error: docker.errors.APIError) -> str:
    text = error.explanation or (error.response.text if error.response is not None else str(error))
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        document = json.loads(text)
    except ValueError:
        return str(text).strip()
    return str(document.get("message", text)) if isinstance(document, dict) else str(text)


def _cause(error: BaseException) -> str:
    """The innermost reason's words, without object addresses."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return getattr(error, "strerror", None) or type(error).__name__
