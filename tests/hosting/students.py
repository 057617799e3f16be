"""Students of one host: users with ids of nobody's, each with a home, a store and an engine of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2]
FIRST_UID = 54_400
"""No subordinate ids belong to it or to those that follow."""


class Student:
    """One of them; whatever runs in their name is a process of their uid, with no more groups than their own."""

    def __init__(self, folder: Path, number: int) -> None:
        self.uid, self.name = FIRST_UID + number, f"containerlab-student-{number}"
        self.home = folder / f"student-{number}"
        self.home.mkdir(mode=0o700)
        self.store = self.home / ".local/share/containerlab"
        # Not below the home: a socket's path has 108 bytes at most.
        self.run_folder = Path(tempfile.mkdtemp(prefix=f"cl-{self.uid}-", dir="/tmp"))
        for path in (self.home, self.run_folder):
            os.chown(path, self.uid, self.uid)

    def environment(self, **more: str) -> dict[str, str]:
        """A login's."""
        own = {"PATH": os.environ["PATH"], "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.run_folder)}
        return own | {"PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"} | more

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """A program of theirs, as they would call it; ``more`` goes into its environment."""
        return subprocess.Popen(
            words,
            env=self.environment(**more),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=self.uid,
            group=self.uid,
            extra_groups=[],
        )

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """The same, until it ends."""
        with self.start(*words, **more) as process:
            output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    def lab(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """``containerlab WORDS…``."""
        return self.run(sys.executable, "-m", "containerlab", *words, **more)

    def end(self) -> None:
        """Remove containers, engine, supervisor and files."""
        self.run(sys.executable, str(SOURCE / "tests/store.py"), str(self.store))
        shutil.rmtree(self.run_folder, ignore_errors=True)


@contextlib.contextmanager
def accounts(of: list[Student]) -> Iterator[None]:
    """Entries in passwd, with the subordinate ids that this host gives to new users."""
    made: list[Student] = []
    try:
        for each in of:
            words = ["useradd", "--no-create-home", "--home-dir", str(each.home), "--uid", str(each.uid), each.name]
            subprocess.run(words, check=True)
            made.append(each)
        yield
    finally:
        for each in made:
            subprocess.run(["userdel", "--force", each.name], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def students(count: int, folder: Path | None = None) -> Iterator[list[Student]]:
    """So many of them below ``folder``, or a new one below /tmp; at the end nothing of theirs is left."""
    top = Path(tempfile.mkdtemp(prefix="cl-class-", dir=folder or "/tmp"))
    top.chmod(0o755)
    found = [Student(top, number) for number in range(count)]
    try:
        yield found
    finally:
        for each in found:
            each.end()
        shutil.rmtree(top, ignore_errors=True)
