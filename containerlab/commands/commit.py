"""``commit``: what a container has become, as an image."""

from __future__ import annotations

__all__ = ["Committed", "commit_command"]

from dataclasses import dataclass
from typing import Any

import click

from containerlab.commands import html
from containerlab.commands.archives import split_name
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result
from containerlab.commands.streams import post


@dataclass(repr=False)
class Committed(Result):
    """The new image's id, its name if it got one, and the container that it is of."""

    id: str
    name: str
    container: str

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "container": self.container}

    def __str__(self) -> str:
        return self.id

    def calm(self) -> str:
        return f"Container {self.container} is the image {self.name or 'without a name'} now too."

    def body(self) -> str:
        return f"<p>{html.escape(self.calm())}</p>"


@verb("commit", help="Make an image of a container: its image, and a layer of what it has changed.")
@click.option("-a", "--author", default="", metavar="NAME", help="As in 'Ada Lovelace <ada@example.org>'.")
@click.option("-c", "--change", "changes", multiple=True, metavar="INSTRUCTION", help="As in --change 'CMD [\"sh\"]'.")
@click.option("-m", "--message", default="", help="What the image's history says of it.")
@click.option("-p", "--pause", is_flag=True, default=True, help="Hold the container still meanwhile; --pause=false.")
@click.argument("container")
@click.argument("repository", required=False, metavar="[REPOSITORY[:TAG]]")
@pass_context
def commit_command(
    context: Context,
    author: str,
    changes: tuple[str, ...],
    message: str,
    pause: bool,
    container: str,
    repository: str | None,
) -> Result:
    name, tag = split_name(repository)
    box = context.variable(container)
    asked = [("container", box), ("repo", name), ("tag", tag), ("comment", message), ("author", author)]
    params = [*asked, ("pause", "1" if pause else "0"), *[("changes", change) for change in changes]]
    with post(context.client, "/commit", params=[pair for pair in params if pair[1]], json={}) as response:
        image = str(response.json()["Id"])
    return Committed(image, repository or "", box)
