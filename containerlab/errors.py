"""Every error of the kit, in one tree.

    ContainerlabError                500
    ├── InvalidParameter             400  a request that can't be understood or can't be granted as written
    │   ├── InvalidReference         400  an image name that breaks the reference grammar
    │   ├── DockerfileError          400  a Dockerfile that can't be parsed; knows file, line and column
    │   └── ComposeError             400  a Compose file that can't be parsed or carried out; knows place and path
    ├── NotFound                     404
    │   ├── NoSuchContainer          404
    │   ├── NoSuchImage              404
    │   ├── NoSuchExec               404
    │   ├── NoSuchNetwork            404
    │   └── NoSuchVolume             404
    ├── NotModified                  304  the object is already in the state that was asked for
    ├── Conflict                     409  the object's state, or somebody's use of it, stands in the way
    ├── Forbidden                    403
    ├── HostLacks                    501  this host can't give the feature; says what it would need
    ├── StartFailed                  400  a container that couldn't be started; knows the exit code 125, 126 or 127
    ├── BuildFailed                  500  a step of a build ended with an error; knows line and exit code
    ├── BadArchive                   400  a tar stream that lies, or that would write outside its root
    ├── StorageFull                  507  no space is left where the store lives
    ├── RegistryError                500  a registry that can't be reached, or whose answer can't be used
    │   ├── NotInRegistry            404  it has no such image, or doesn't show it to this account
    │   └── LoginRefused             401  it doesn't know the account
    ├── EngineUnreachable            503  no engine answers, and none could be started
    └── UsageError                     -  a front end's verb or option that doesn't exist

A message says what was asked, what stands in the way and, in ``hint``, what to do. The class says the
kind; nobody reads the kind out of a message. ``api/`` turns ``status`` into the HTTP status, once.
The kernel's own refusals stay ``OSError`` with errno and path until a room can say what they mean.
"""

from __future__ import annotations

__all__ = [
    "BadArchive",
    "BuildFailed",
    "ComposeError",
    "Conflict",
    "ContainerlabError",
    "DockerfileError",
    "EngineUnreachable",
    "Forbidden",
    "HostLacks",
    "InvalidParameter",
    "InvalidReference",
    "LoginRefused",
    "NoSuchContainer",
    "NoSuchExec",
    "NoSuchImage",
    "NoSuchNetwork",
    "NoSuchVolume",
    "NotFound",
    "NotInRegistry",
    "NotModified",
    "RegistryError",
    "StartFailed",
    "StorageFull",
    "UsageError",
]


class ContainerlabError(Exception):
    """Base of all. ``status`` is the HTTP status that the API answers with."""

    status = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines in place of a traceback; the cell still fails."""
        return str(self).splitlines()


class InvalidParameter(ContainerlabError):
    """The request can't be understood, or can't be granted as it is written."""

    status = 400


class InvalidReference(InvalidParameter):
    """An image name that breaks the grammar of references."""


class DockerfileError(InvalidParameter):
    """A Dockerfile that can't be parsed or executed as written.

    ``line`` and ``column`` count from 1 (column 0: unknown); ``source`` is that line's text.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str = "Dockerfile",
        line: int = 0,
        column: int = 0,
        source: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.file, self.line, self.column, self.source = file, line, column, source

    def __str__(self) -> str:
        return _placed(self.file, self.line, self.column, self.message, self.source, self.hint)


class ComposeError(InvalidParameter):
    """A Compose project that can't be understood or carried out as its files say it.

    ``line`` and ``column`` count from 1 (0: the error has no one place); ``path`` is that of the part
    (``services.web.ports[0]``), ``source`` the line's text.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int = 0,
        column: int = 0,
        path: str = "",
        source: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.file, self.line, self.column, self.path, self.source = file, line, column, path, source

    def __str__(self) -> str:
        message = self.message if self.path in self.message else f"{self.path}: {self.message}"
        return _placed(self.file, self.line, self.column, message, self.source, self.hint)


def _placed(file: str, line: int, column: int, message: str, source: str, hint: str) -> str:
    place = f"{file}:{line}" + (f":{column}" if column else "") if line else ""
    lines = [f"{place}: {message}" if place else message]
    if source:
        lines.append(f"  {line} | {source}")
    if hint:
        lines.append(hint)
    return "\n".join(lines)


class NotFound(ContainerlabError):
    """The object doesn't exist."""

    status = 404


class NoSuchContainer(NotFound):
    """Docker's words, on which docker-py relies: ``No such container: NAME``."""

    def __init__(self, name: str, *, hint: str = "") -> None:
        super().__init__(f"No such container: {name}", hint=hint)
        self.name = name


class NoSuchImage(NotFound):
    """Docker's words, on which docker-py relies: ``No such image: NAME``."""

    def __init__(self, name: str, *, hint: str = "") -> None:
        super().__init__(f"No such image: {name}", hint=hint)
        self.name = name


class NoSuchExec(NotFound):
    """``No such exec instance: ID``."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such exec instance: {name}")


class NoSuchNetwork(NotFound):
    """``network NAME not found``."""

    def __init__(self, name: str, *, hint: str = "") -> None:
        super().__init__(f"network {name} not found", hint=hint)


class NoSuchVolume(NotFound):
    """``get NAME: no such volume``."""

    def __init__(self, name: str, *, hint: str = "") -> None:
        super().__init__(f"get {name}: no such volume", hint=hint)


class NotModified(ContainerlabError):
    """The object is already in the state that was asked for; HTTP sends no body with it."""

    status = 304


class Conflict(ContainerlabError):
    """The object's state, or somebody's use of it, stands in the way."""

    status = 409


class Forbidden(ContainerlabError):
    """The caller may not do this."""

    status = 403


class HostLacks(ContainerlabError):
    """This host can't give the feature; the message names it and what it would need."""

    status = 501


class StartFailed(ContainerlabError):
    """A container's process couldn't be started.

    ``exit_code`` is what ``docker run`` exits with: 127 not found, 126 not executable, 125 anything else.
    """

    status = 400

    def __init__(self, message: str, *, exit_code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class BuildFailed(ContainerlabError):
    """A build's step ended with an error; ``line`` counts from 1, ``exit_code`` is the command's or None."""

    def __init__(
        self, message: str, *, line: int = 0, source: str = "", exit_code: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.line, self.source, self.exit_code = line, source, exit_code


class BadArchive(ContainerlabError):
    """A tar stream that is cut off, lies about a size, or would write outside its root."""

    status = 400


class StorageFull(ContainerlabError):
    """No space (or no quota) is left where the store lives."""

    status = 507


class RegistryError(ContainerlabError):
    """A registry can't be reached, refuses, or gives an answer that can't be used; the message names it."""


class NotInRegistry(RegistryError):
    """The registry has no such image, or doesn't show it to this account."""

    status = 404


class LoginRefused(RegistryError):
    """The registry doesn't know the account."""

    status = 401


class EngineUnreachable(ContainerlabError):
    """No engine answers, and none could be started."""

    status = 503


class UsageError(ContainerlabError):
    """A front end's verb, option or argument is not as the verb's help says."""
