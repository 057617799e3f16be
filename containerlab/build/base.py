"""FROM: the image that a stage starts with, and what comes with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from containerlab.build.dockerfile import Dockerfile, Instruction, parse_trigger
from containerlab.build.dockerfile.instructions import From
from containerlab.build.dockerfile.words import WordError, expand
from containerlab.build.options import BuildOptions, host_architecture
from containerlab.build.refused import refuse_unsupported
from containerlab.build.scratch import in_thread
from containerlab.errors import NoSuchImage
from containerlab.images import Image, ImageConfig, ImageStore, Reference

__all__ = ["SCRATCH", "Fetch", "base_config", "base_image", "base_name", "expand_global", "triggers_of"]

SCRATCH = "scratch"
"""The name that stands for no image at all."""

Fetch = Callable[[str], Awaitable[None]]
"""Brings an image into the store by its name: this room knows no registry."""


def expand_global(dockerfile: Dockerfile, instruction: Instruction, text: str, values: Mapping[str, str]) -> str:
    """A word of FROM, or of an ARG before it. Raises DockerfileError."""
    try:
        return expand(text, values.get, dockerfile.directives.escape)
    except WordError as error:
        raise instruction.node.error(error.message) from None


def base_name(dockerfile: Dockerfile, instruction: From, values: Mapping[str, str]) -> str:
    """The base image's name, its variables replaced. Raises DockerfileError."""
    name = expand_global(dockerfile, instruction, instruction.image, values)
    if not name:
        hint = f"{instruction.image} is empty once its variables are replaced"
        raise instruction.node.error("base name should not be blank", hint=hint)
    return name


async def base_image(images: ImageStore, name: str, options: BuildOptions, fetch: Fetch | None) -> Image | None:
    """The image, or None for ``scratch``; fetched when it isn't here, and with ``--pull`` always.

    Raises NoSuchImage, and what ``fetch`` raises.
    """
    if name == SCRATCH:
        return None
    try:
        image = await in_thread(lambda: images.resolve(name))
    except NoSuchImage:
        if fetch is None:
            raise
    else:
        if fetch is None or not options.pull or _is_embedded(name):
            return image
    await fetch(name)
    return await in_thread(lambda: images.resolve(name))


def base_config(image: Image | None) -> ImageConfig:
    """The config to start from."""
    return image.config if image is not None else ImageConfig(architecture=host_architecture())


def triggers_of(texts: list[str], name: str, *, host_network: bool) -> list[Instruction]:
    """The ONBUILD instructions of the image or stage ``name``. Raises DockerfileError for one that is refused."""
    triggers = [parse_trigger(text, name) for text in texts]
    for trigger in triggers:
        refuse_unsupported(trigger, host_network=host_network)
    return triggers


def _is_embedded(name: str) -> bool:
    from containerlab.images import embedded  # late: it is large, and few builds ask

    return Reference.parse(name).familiar_name() in embedded.NAMES
