"""A class on one host: ``python -m bench.hosting --at-rest 1,5,10,20,40 --lesson 40``, as root; a table and JSON.

Each student is a uid of its own with an engine of their own; all read one shared store. At rest: the memory (PSS) and
the disk of each, and how long the first container took from nothing, all starting at once. Lesson: all run the first
lesson's notebook at once, kernels included; none may fail.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from containerlab.runtime.facts import pss
from tests.hosting.students import SOURCE, Student, students
from tests.store import Store

_EACH_MB = 35.0
_LESSON = SOURCE / "notebooks/01-first-container.ipynb"
_IMAGES = ("lab/busybox", "lab/python")
_SETTLE_SECONDS = 8  # at rest an engine gives back what it needs no more, after five


@contextlib.contextmanager
def _shared() -> Iterator[Path]:
    """A shared store with the images of the course."""
    folder = Path(tempfile.mkdtemp(prefix="cl-teacher-", dir="/tmp"))
    folder.chmod(0o755)
    teacher = Store(folder / "teacher")
    try:
        teacher.start()
        command = [sys.executable, "-m", "containerlab", "system", "share", str(folder / "shared"), *_IMAGES]
        subprocess.run(command, env={**os.environ, "DOCKER_HOST": teacher.host}, check=True, stdout=sys.stderr)
        teacher.end()
        yield folder / "shared"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def at_rest(count: int, shared: Path) -> dict[str, Any]:
    """So many engines, each after its first container. Megabytes are 10**6 bytes, of the median student."""
    with students(count) as found:
        words = [sys.executable, "-m", "containerlab", "run", "--rm", "lab/busybox", "true"]
        began = time.monotonic()
        took = _all(found, words, shared, began)
        time.sleep(_SETTLE_SECONDS)
        memory = [pss(_processes(student)) / 1e6 for student in found]
        disk = [_bytes(student.store) / 1e6 for student in found]
        return {
            "students": count,
            "pss_each_mb": round(statistics.median(memory), 1),
            "pss_all_mb": round(sum(memory)),
            "disk_each_mb": round(statistics.median(disk), 1),
            "first_container_s": round(statistics.median(took), 1),
            "last_container_s": round(max(took), 1),
        }


def lesson(count: int, shared: Path) -> dict[str, Any]:
    """So many students who run a lesson at once, each in a kernel; ``failed`` names how many did."""
    with students(count) as found:
        words = [sys.executable, "-m", "jupyter", "execute", "--timeout=1800", "lesson.ipynb"]
        for student in found:
            shutil.copy(_LESSON, student.home / "lesson.ipynb")
            os.chown(student.home / "lesson.ipynb", student.uid, student.uid)
        failures: list[str] = []
        took = _all(found, words, shared, time.monotonic(), failures)
        return {
            "students": count,
            "lesson_s": round(statistics.median(took), 1),
            "last_s": round(max(took), 1),
            "failed": len(failures),
            "why": failures[:3],
        }


def _all(
    found: list[Student], words: list[str], shared: Path, began: float, failures: list[str] | None = None
) -> list[float]:
    """Seconds from ``began`` until each student's program ended; RuntimeError for one that failed, unless noted."""
    more = {"CONTAINERLAB_SHARED_STORE": str(shared)}
    running = {student.uid: student.start(*words, **more) for student in found}
    took: list[float] = []
    while running:
        for uid, process in list(running.items()):
            if process.poll() is None:
                continue
            took.append(time.monotonic() - began)
            _, errors = process.communicate()
            del running[uid]
            if process.returncode and failures is None:
                raise RuntimeError(errors[-2000:])
            if process.returncode and failures is not None:
                failures.append(errors[-500:])
        time.sleep(0.05)
    return took


def _processes(student: Student) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == student.uid:
                    found.append(int(entry.name))
    return found


def _bytes(folder: Path) -> int:
    told = subprocess.run(["du", "-s", "--block-size=1", str(folder)], capture_output=True, text=True, check=True)
    return int(told.stdout.split()[0])


def main() -> int:
    """0 when every bar is met: none failed, and memory each."""
    parser = argparse.ArgumentParser(prog="python -m bench.hosting", description=__doc__)
    parser.add_argument("--at-rest", default="1,5,10,20,40", help="numbers of students, with commas")
    parser.add_argument("--lesson", default="40", help="the same; empty for none")
    parser.add_argument("--out", type=Path, default=Path("build/bench-hosting.json"))
    options = parser.parse_args()
    result: dict[str, Any] = {"cpus": os.cpu_count(), "load": os.getloadavg()[0], "at_rest": [], "lesson": []}
    with _shared() as shared:
        for kind, measure, numbers in (("at_rest", at_rest, options.at_rest), ("lesson", lesson, options.lesson)):
            for number in filter(None, numbers.split(",")):
                result[kind].append(measure(int(number), shared))
                print(json.dumps(result[kind][-1]), flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    heavy = [row for row in result["at_rest"] if row["pss_each_mb"] > _EACH_MB and row["students"] >= 40]
    failed = [row for row in result["lesson"] if row["failed"]]
    return 1 if heavy or failed else 0


if __name__ == "__main__":
    sys.exit(main())
