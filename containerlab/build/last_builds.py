"""The build before: what its steps were made of, by the name of what is built.

A build is compared with the last one that gave its image the same name (whatever the tag), else with the last one of
the same folder and Dockerfile.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from containerlab.build.ingredients import Ingredients, Listing, Read, StageRecord
from containerlab.build.why import explain
from containerlab.database import Database

__all__ = ["LastBuild", "LastBuilds"]

_TABLES = """
CREATE TABLE IF NOT EXISTS build_last (
    name TEXT PRIMARY KEY,
    used REAL NOT NULL,
    stages BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS build_paths (
    digest TEXT PRIMARY KEY,
    used REAL NOT NULL,
    size INTEGER NOT NULL,
    paths BLOB NOT NULL
);
"""
_BUILDS = 100
_PATHS_BYTES = 32 << 20

_Stages = dict[str, StageRecord]


class LastBuilds:
    """What is kept of the last 100 builds, and 32 MiB of the paths that they read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.ensure(_TABLES)

    def open(self, names: Iterable[str]) -> LastBuild:
        """For a build that goes by ``names``: the first that is known says what was before."""
        names = list(names)
        for name in names:
            rows = self._database.rows("SELECT stages FROM build_last WHERE name = ?", name)
            if rows:
                return LastBuild(self, names, rows[0]["stages"])
        return LastBuild(self, names, b"")

    def paths(self, digest: str) -> Listing | None:
        """The files behind a digest."""
        rows = self._database.rows("SELECT paths FROM build_paths WHERE digest = ?", digest)
        return msgspec.msgpack.decode(rows[0]["paths"], type=Listing) if rows else None

    def save(self, names: list[str], stages: bytes, paths: dict[str, Listing]) -> None:
        """Keep a build; the oldest are forgotten."""
        now = time.time()
        packed = [(digest, msgspec.msgpack.encode(listing)) for digest, listing in paths.items()]
        with self._database.transaction(durable=False) as transaction:
            for name in names:
                transaction.execute("INSERT OR REPLACE INTO build_last VALUES (?, ?, ?)", (name, now, stages))
            for digest, blob in packed:
                values = (digest, now, len(blob), blob)
                transaction.execute("INSERT OR REPLACE INTO build_paths VALUES (?, ?, ?, ?)", values)
            transaction.execute(
                "DELETE FROM build_last WHERE name NOT IN (SELECT name FROM build_last ORDER BY used DESC LIMIT ?)",
                (_BUILDS,),
            )
            transaction.execute(
                "DELETE FROM build_paths WHERE digest IN (SELECT digest FROM"
                " (SELECT digest, SUM(size) OVER (ORDER BY used DESC) AS total FROM build_paths) WHERE total > ?)",
                (_PATHS_BYTES,),
            )


class LastBuild:
    """One build, written down step by step beside what the one before it wrote."""

    def __init__(self, builds: LastBuilds, names: list[str], packed: bytes) -> None:
        self._builds, self._names, self._packed = builds, names, packed
        self._before: _Stages = {}
        if packed:
            try:
                self._before = msgspec.msgpack.decode(packed, type=_Stages)
            except msgspec.DecodeError:
                self._packed = b""
        self._now: _Stages = {}
        self._texts: dict[str, frozenset[str]] = {}
        self._paths: dict[str, Listing] = {}

    def begin(self, stage: str, base: str, base_id: str, texts: list[str]) -> None:
        """A stage begins on the image or stage ``base``; ``texts`` are its instructions."""
        self._now[stage] = StageRecord(base, base_id)
        self._texts[stage] = frozenset(texts)

    def end(self, stage: str) -> None:
        """Its last step is done."""
        self._now[stage].complete = True

    def reasons(self, stage: str, step: Ingredients, reads: Iterable[Read]) -> list[str]:
        """Why the cache hasn't this step of ``stage``; asked before ``add``. For a thread where there are ``reads``."""
        fresh = {read.digest: read.listing for read in reads if read.listing is not None}
        self._paths.update(fresh)

        def paths(digest: str) -> Listing | None:
            return fresh.get(digest) or self._builds.paths(digest)

        before = self._before.get(stage)
        return explain(step, self._now[stage], before, self._texts[stage], paths) if before is not None else []

    def add(self, stage: str, step: Ingredients) -> None:
        """The step is done, or has failed."""
        self._now[stage].steps.append(step)

    def save(self) -> None:
        """Keep it, the stages that it didn't build as they were; a build that is all the same costs nothing."""
        packed = msgspec.msgpack.encode({**self._before, **self._now})
        if self._names and (packed != self._packed or self._paths):
            self._builds.save(self._names, packed, self._paths)
