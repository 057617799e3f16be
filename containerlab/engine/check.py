"""``containerlab system check``: prove that database, files and processes agree, and with ``--repair`` make them.

A running engine is asked (``GET /containerlab/check``); a store without one is opened just as an engine would, which
already sweeps what a crash left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import socket
import sys
from pathlib import Path
from typing import Any

from containerlab import paths
from containerlab.database import Database
from containerlab.engine.parts import Parts, delete_tree
from containerlab.errors import ContainerlabError

__all__ = ["check", "main", "repair"]

_ANSWER_SECONDS = 600


async def check(parts: Parts) -> list[str]:
    """What is wrong, a sentence each; changes nothing. Builds under way are left out of sight."""
    problems = await asyncio.to_thread(_files, parts)
    listed = (await parts.supervisor.call("list"))["containers"]
    known = {container.id: container for container in parts.registry}
    if not parts.builds_running:
        strays = [entry["container"] for entry in listed if entry["container"] not in known]
        problems += [f"process of {stray}: no container needs it" for stray in strays]
    running = {entry["container"] for entry in listed if entry["status"] == "running"}
    problems += [
        f"container {container_id}: it is said to run, and its supervisor knows no process"
        for container_id, container in known.items()
        if container.state.running and container_id not in running
    ]
    return problems


async def repair(parts: Parts) -> list[str]:
    """Remove what nothing needs and what can't be whole again; what was done, a sentence each."""
    done = []
    for folder in _strange_folders(parts):
        await asyncio.to_thread(delete_tree, folder)
        done.append(f"removed the folder {folder.name}: no container needs it")
    for image in parts.images.list():
        if any(
            not parts.images.layers.diff(chain).is_dir() for chain in image.chain_ids if parts.images.layers.has(chain)
        ):
            await asyncio.to_thread(parts.images.remove, image.id)
            done.append(f"removed the image {image.id}: files of a layer are missing")
    pruned = await asyncio.to_thread(parts.images.prune_layers)
    return done + [f"removed the layer {chain}: no image needs it" for chain in pruned]


def _files(parts: Parts) -> list[str]:
    problems = _database(parts.database) + parts.images.check()
    for container in parts.registry:
        if not (container.folder / "config.json").is_file():
            problems.append(f"container {container.id}: its bundle is missing")
        chain = container.record.chain_id
        if chain and not parts.images.layers.has(chain):
            problems.append(f"container {container.id}: its image's layers are missing")
    return problems + [f"folder {folder.name}: no container needs it" for folder in _strange_folders(parts)]


def _database(database: Database) -> list[str]:
    said = [str(row[0]) for row in database.rows("PRAGMA integrity_check(10)")]
    return [] if said == ["ok"] else [f"database: {line}" for line in said]


def _strange_folders(parts: Parts) -> list[Path]:
    return [folder for folder in (parts.settings.store / "containers").iterdir() if folder.name not in parts.registry]


def main(argv: list[str] | None = None) -> int:
    """Print what is wrong (and what was repaired); 0 when all is well."""
    parser = argparse.ArgumentParser(prog="containerlab system check", description=__doc__)
    parser.add_argument("--store", type=lambda path: Path(path).expanduser().absolute(), help="folder of the store")
    parser.add_argument("--repair", action="store_true", help="remove what nothing needs and what is broken")
    options = parser.parse_args(argv)
    store = options.store or paths.store_folder()
    try:
        found = _ask(store, options.repair) or asyncio.run(_open(store, options.repair))
    except (ContainerlabError, OSError) as error:
        print(f"containerlab system check: {error}", file=sys.stderr)
        return 2
    for sentence in found["repaired"]:
        print(sentence)
    for sentence in found["problems"]:
        print(sentence, file=sys.stderr)
    if not found["problems"]:
        print("All is well: every record has its files, every file its record.")
    return 1 if found["problems"] else 0


def _ask(store: Path, mend: bool) -> dict[str, Any] | None:
    """The running engine's answer; None when none runs."""
    connection = http.client.HTTPConnection("localhost", timeout=_ANSWER_SECONDS)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(paths.api_socket(store)))
        connection.request("POST" if mend else "GET", "/containerlab/check")
        answer = json.loads(connection.getresponse().read())
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    finally:
        connection.close()
    if "problems" not in answer:
        raise ContainerlabError(answer.get("message", "the engine gave no answer"))
    return dict(answer)


async def _open(store: Path, mend: bool) -> dict[str, Any]:
    """Without an engine: open the database and the images, with no supervisor and so with no process."""
    from containerlab.engine.container import Container
    from containerlab.engine.settings import Settings
    from containerlab.engine.state import ContainerTable
    from containerlab.images import ImageStore
    from containerlab.runtime.identity import boot_id

    if not (store / "db.sqlite").is_file():
        return {"problems": [], "repaired": []}
    database = Database(store / "db.sqlite")
    try:
        images, table = ImageStore(database, store, shared=paths.shared_store()), ContainerTable(database)
        nobody: Any = None
        settings = Settings(store=store, run=paths.run_folder(store))
        parts = Parts(settings, database, images, nobody, table, boot_id(), table.engine_id())
        for record, name, state in table.load():
            parts.registry.add(Container(record, name, state, parts.folder(record.id)))
        repaired = await repair(parts) if mend else []
        return {"problems": await asyncio.to_thread(_files, parts), "repaired": repaired}
    finally:
        database.close()
