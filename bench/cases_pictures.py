"""What a picture costs, for 50 containers or 20 images: from the engine's answers to the HTML that a cell shows."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.engines import IMAGE, Engine

__all__ = ["TARGET_MS", "pictures"]

TARGET_MS = 500.0
"""At most, for each picture."""

_CONTAINERS, _IMAGES = 50, 20


def pictures(engine: Engine, n: int = 5) -> dict[str, float]:
    """Milliseconds by picture, the median of ``n`` after a first one that loads the fonts."""
    client = engine.client
    names = [f"bench-{number:02}" for number in range(_CONTAINERS)]
    tags = [f"bench-picture:{number}" for number in range(_IMAGES)]
    network = client.networks.create("bench-pictures")
    try:
        for name in names:
            client.containers.run(IMAGE, ["sleep", "1000"], detach=True, name=name, network=network.name)
        for number, tag in enumerate(tags):
            steps = "".join(f"RUN echo {number if step == 3 else step} > /step-{step}\n" for step in range(5))
            client.images.build(fileobj=io.BytesIO(f"FROM {IMAGE}\n{steps}".encode()), tag=tag, network_mode="none")
        return {what: _median(draw, n) for what, draw in _cases(client, names, tags).items()}
    finally:
        for name in names:
            _quietly(lambda name=name: client.api.remove_container(name, force=True))  # type: ignore[misc]
        network.remove()
        for tag in tags:
            _quietly(lambda tag=tag: client.images.remove(tag, force=True))  # type: ignore[misc]


def _cases(client: Any, names: list[str], tags: list[str]) -> dict[str, Callable[[], Any]]:
    from containerlab import lab
    from containerlab.lab.copies import Touch
    from containerlab.lab.copies_figure import draw_copies
    from containerlab.lab.life_figure import life
    from containerlab.lab.mounts_figure import mounts
    from containerlab.lab.tree_figure import draw_tree
    from containerlab.lab.usage import Limits, Sample, draw_usage

    layers = lab.read_sharing(client, tags[:1]).images[0].layers
    touches = [Touch(f"/data/file-{number}", "copied", 3, 100, 0.1 * number) for number in range(50)]
    samples = [Sample(float(at), 1_000_000 * at, 0.5 * at, 3) for at in range(60)]
    return {
        "layers of 20 images": lambda: lab.layer_sharing(client, *tags),
        "tree of 20 images": lambda: draw_tree(lab.read_sharing(client, tags)),
        "namespaces of 50 containers": lambda: lab.namespaces(client, *names),
        "network map of 50 containers": lambda: lab.network_map(client),
        "life": lambda: life(client, names[0]),
        "timeline": lambda: lab.timeline(client, names[0]),
        "mounts": lambda: mounts(client, names[0]),
        "copy-up of 50 files": lambda: draw_copies(names[0], layers, touches),
        "usage of 60 readings": lambda: draw_usage(names[0], samples, Limits(memory=64_000_000, pids=7)),
    }


def _median(draw: Callable[[], Any], n: int) -> float:
    took = []
    for _ in range(n + 1):
        started = time.perf_counter()
        draw().to_html()
        took.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(took[1:]), 1)


def _quietly(work: Callable[[], Any]) -> None:
    """What could not be made can't be removed."""
    try:
        work()
    except Exception as error:
        print(f"left behind: {error}")
