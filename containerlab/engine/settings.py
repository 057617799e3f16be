"""What one engine is started with: its folders, its limits, its safer defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Settings of one engine; each is shown by ``info``.

    ``idle_exit`` in seconds of idleness after which ``serve`` ends, None for never. ``log_max_size`` in
    bytes, of ``log_max_file`` files a container; 0 never rotates. ``pids_limit`` is what a container gets that
    asked for nothing; 0 for no limit. ``publish_ip`` is where published ports bind without an address.
    ``registry_mirrors`` are addresses that are asked before docker.io, ``insecure_registries`` host[:port] or CIDR of
    those that may do without TLS. ``shared_store`` is where images are that users share.
    """

    store: Path
    run: Path
    idle_exit: float | None = None
    log_max_size: int = 10_000_000
    log_max_file: int = 3
    pids_limit: int = 4096
    publish_ip: str = "127.0.0.1"
    stop_timeout: int = 10
    shm_size: int = 64 << 20
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    shared_store: Path | None = None
