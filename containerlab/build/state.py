"""A stage in the making: its image config so far, the layers below it, its arguments and its shell."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from containerlab.build.dockerfile.instructions import CommandLine, Instruction
from containerlab.build.dockerfile.words import WordError, expand, expand_words
from containerlab.build.options import PREDEFINED_ARGS
from containerlab.errors import InvalidParameter
from containerlab.images import ContainerConfig, History, ImageConfig
from containerlab.images.config import CachedStep, encode
from containerlab.images.limits import CONFIG_BYTES

__all__ = ["DEFAULT_SHELL", "StageState"]

DEFAULT_SHELL = ("/bin/sh", "-c")


class StageState:
    """What the next instruction starts from. ``image`` is this state's own copy; ``chain_id`` None is no layer yet."""

    def __init__(
        self,
        image: ImageConfig,
        chain_id: str | None,
        *,
        escape: str,
        build_args: Mapping[str, str | None],
        global_args: Mapping[str, str],
        args: Mapping[str, str | None] | None = None,
        steps: Sequence[CachedStep] = (),
    ) -> None:
        self.image = msgspec.structs.replace(
            image,
            config=msgspec.structs.replace(image.config),
            rootfs=msgspec.structs.replace(image.rootfs, diff_ids=list(image.rootfs.diff_ids)),
            history=list(image.history),
            cache=[],
        )
        self.steps = list(steps)
        """The steps so far, as an inline cache tells them; those of the stage that this one starts from are first."""
        self.chain_id = chain_id
        self.escape = escape
        # An ARG of the stage that this one starts from is its own too.
        self.args: dict[str, str | None] = dict(args or {})
        self.consumed: set[str] = set()
        self.has_cmd = False
        self.looked_up: dict[str, str | None] = {}
        """``ARG NAME`` or ``ENV NAME`` that were asked for since this was last emptied, and the values."""
        self._build_args, self._global_args = build_args, global_args

    @property
    def config(self) -> ContainerConfig:
        """The container's part of the image config."""
        return self.image.config

    def digest(self) -> str:
        """The id that an image of this state has. Raises InvalidParameter for a config that nobody would read again."""
        config = encode(self.image)
        if len(config) > CONFIG_BYTES:
            raise InvalidParameter(f"the image's config is larger than {CONFIG_BYTES} bytes")
        return "sha256:" + hashlib.sha256(config).hexdigest()

    def content(self) -> str:
        """A digest of what a next step can see: files and settings, not how or when they came to be."""
        settings = msgspec.json.encode([self.chain_id, self.config, self.image.author], order="deterministic")
        return hashlib.sha256(settings).hexdigest()

    # -- variables --------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """The image's ENV."""
        return dict(entry.partition("=")[::2] for entry in self.config.Env or [])

    def declare(self, name: str, default: str | None) -> None:
        """ARG: the value asked for, else the default, else the value of the same ARG before FROM."""
        value = default if default is not None else self._global_args.get(name)
        if name in self._build_args:
            self.consumed.add(name)
            asked = self._build_args[name]
            value = asked if asked is not None else value
        self.args[name] = value

    def run_args(self) -> dict[str, str]:
        """The arguments that RUN sees as variables, and that its cache key and history name; ENV wins."""
        environment = self.environment()
        return {
            name: value for name, value in sorted(self.args.items()) if value is not None and name not in environment
        }

    def proxy_args(self) -> dict[str, str]:
        """Predefined arguments that were given without an ARG: RUN sees them, nothing records them."""
        given = {name: value for name, value in self._build_args.items() if name in PREDEFINED_ARGS}
        self.consumed.update(given)
        return {name: value for name, value in given.items() if value is not None and name not in self.args}

    def lookup(self, name: str) -> str | None:
        """A variable as an instruction sees it: ENV before ARG."""
        prefix = name + "="
        for entry in reversed(self.config.Env or []):
            if entry.startswith(prefix):
                self.looked_up[f"ENV {name}"] = value = entry[len(prefix) :]
                return value
        self.looked_up[f"ARG {name}"] = self.args.get(name)
        return self.args.get(name)

    def expand(self, instruction: Instruction, text: str) -> str:
        """One word of an instruction. Raises DockerfileError."""
        try:
            return expand(text, self.lookup, self.escape)
        except WordError as error:
            raise instruction.node.error(error.message) from None

    def expand_words(self, instruction: Instruction, text: str) -> list[str]:
        """Like ``expand``, where a value may become several words."""
        try:
            return expand_words(text, self.lookup, self.escape)
        except WordError as error:
            raise instruction.node.error(error.message) from None

    # -- commands ----------------------------------------------------------------------------------------

    def shell(self) -> list[str]:
        """SHELL, or the default one."""
        return list(self.config.Shell or DEFAULT_SHELL)

    def command(self, line: CommandLine) -> list[str]:
        """The argument vector of a shell or exec form."""
        return [*self.shell(), *line.args] if line.shell else list(line.args)

    # -- going on ----------------------------------------------------------------------------------------

    def advance(self, *, key: str, created: str, created_by: str, layer: tuple[str, str] | None) -> None:
        """One instruction is done; ``layer`` is the (chain ID, diff ID) that it added, ``key`` its key in the cache."""
        history = History(created=created, created_by=created_by, author=self.image.author, empty_layer=layer is None)
        self.image.history.append(history)
        self.image.created = created
        if layer is not None:
            self.chain_id, diff_id = layer
            self.image.rootfs.diff_ids.append(diff_id)
        self.steps.append(CachedStep(key, created, len(self.image.rootfs.diff_ids), layer is not None))
