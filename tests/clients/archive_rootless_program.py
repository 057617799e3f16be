"""Run by test_archive_rootless as an unprivileged user: ``archive_rootless_program.py FOLDER``; prints JSON."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path

import docker

from tests.store import Store


def made() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as archive:
        for name, uid in (("file", 0), ("theirs", 12)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid, entry.gid, entry.mode = 2, uid, uid, 0o640
            archive.addfile(entry, io.BytesIO(b"x\n"))
    return out.getvalue()


def text(container: docker.models.containers.Container, path: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(b"".join(container.get_archive(path)[0]))) as archive:
        held = archive.extractfile(archive.getmembers()[0])
        return held.read().decode() if held else ""


def main(folder: Path) -> dict[str, object]:
    shared = folder / "shared"
    shared.mkdir()
    store = Store(folder / "store")
    try:
        store.start()
        client = docker.DockerClient(base_url=store.host, version="1.43")
        command = ["sh", "-c", "rm /etc/group; rm -r /home; mkdir /home; touch /home/new; sleep 1000"]
        container = client.containers.create("lab/busybox", command, volumes=["/data", f"{shared}:/mnt/shared"])
        found: dict[str, object] = {}
        for state in ("created", "running", "exited"):
            if state == "running":
                container.start()
                while container.exec_run(["test", "-e", "/home/new"]).exit_code:
                    pass
            elif state == "exited":
                container.kill()
                container.wait()
            for place in ("/tmp", "/data", "/mnt/shared"):
                container.put_archive(place, made())
                found[f"{state} {place}"] = text(container, f"{place}/theirs")
            owners = {}
            with tarfile.open(fileobj=io.BytesIO(b"".join(container.get_archive("/tmp")[0]))) as archive:
                owners = {entry.name: entry.uid for entry in archive}
            found[f"{state} owner"] = owners["tmp/theirs"]
            found[f"{state} etc"] = "root" in text(container, "/etc/passwd")
        found["shared"] = sorted(path.name for path in shared.iterdir())
        found["diff"] = [f"{'CAD'[change['Kind']]} {change['Path']}" for change in container.diff()]
        client.close()
        return found
    finally:
        store.end()


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
