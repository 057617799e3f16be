"""Run by test_build_rootless in a process of its own: ``rootless_program.py FOLDER``.

As an unprivileged user it builds in the user namespace that the supervisor's launcher makes; as root without one.
Builds twice, once more with SOURCE_DATE_EPOCH, and prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from pathlib import Path

from containerlab.runtime.launch import ensure_supervisor

_DOCKERFILE = """FROM base AS a
RUN echo stage > /s && chown 0:0 /s
FROM base
RUN id -u > /uid; touch /etc/new; rm /bin/yes; chown 0:0 /uid
COPY file /file
COPY --chown=5 d /d
WORKDIR /w
RUN cat /file > copied && echo more >> /file
COPY --from=a /s /s
RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=type=secret,id=k,required \\
    --mount=from=a,target=/m --mount=target=/ctx \\
    cat /m/s /run/secrets/k /ctx/file > /mounted; echo > /c/x; echo > /t/x
"""

_REPRODUCIBLE = """FROM base AS a
RUN mkdir /s && echo x > /s/x && ln /s/x /s/y && ln -s x /s/l && chmod 4711 /s/x && hostname > /h
FROM base
COPY . /all/
COPY --from=a /s /s
WORKDIR /w
RUN touch /tmp/t; rm /bin/yes; rm -r /all/d && mkdir /all/d && id -u > /all/d/id
LABEL a=b
"""


async def main(folder: Path) -> None:
    from containerlab.build import Builder, BuildOptions, Context
    from containerlab.database import Database
    from containerlab.images import ImageStore
    from containerlab.runtime.client import SupervisorClient
    from tests.build.conftest import base_config, base_layer

    store, context = folder / "store", folder / "context"
    (context / "d").mkdir(parents=True)
    (context / "Dockerfile").write_text(_DOCKERFILE)
    (context / "file").write_text("file\n")
    (context / "d" / "x").write_text("x")
    images = ImageStore(database := Database(store / "db.sqlite"), store)
    chain = base_layer(images)
    images.create(base_config(images, chain), chain, "base:latest")
    client = await SupervisorClient.connect(folder / "run")
    builder = Builder(images, client, database, store)
    built = []
    for _ in range(2):
        with Context.from_directory(context) as opened:
            built.append(await builder.build(opened, BuildOptions(secrets={"k": b"key\n"}), lambda _: None))
    (context / "Dockerfile").write_text(_REPRODUCIBLE)
    with Context.from_directory(context) as opened:
        epoch = BuildOptions(build_args={"SOURCE_DATE_EPOCH": "1700000000"})
        reproducible = (await builder.build(opened, epoch, lambda _: None)).id
    found: dict[str, object] = {"reproducible": reproducible}
    with images.layers.mounted(built[0].chain_id) as root:
        for name in ("uid", "w/copied", "file", "s", "mounted"):
            with open(os.open(name, os.O_RDONLY, dir_fd=root)) as file:
                found[name] = file.read()
        found["owner"] = os.stat("d/x", dir_fd=root).st_uid
        found["whiteout"] = "yes" not in os.listdir(os.open("bin", os.O_RDONLY, dir_fd=root))  # noqa: PTH208
        found["mode"] = stat.S_IMODE(os.stat("d/x", dir_fd=root).st_mode)
    found["same"] = built[0].id == built[1].id
    found["uid_map"] = Path("/proc/self/uid_map").read_text().split()
    print(json.dumps(found))
    await client.call("shutdown")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    ensure_supervisor(place / "run", place / "store")
    asyncio.run(main(place))
