"""The registry client: pull, push and log in by the OCI distribution API. See docs/interfaces.md."""

from __future__ import annotations

from containerlab.images.registry.auth import ANONYMOUS, Credentials
from containerlab.images.registry.hosts import Hosts
from containerlab.images.registry.login import log_in
from containerlab.images.registry.look_up import look_up
from containerlab.images.registry.manifests import Platform
from containerlab.images.registry.place import Place
from containerlab.images.registry.pull import Asked, Pulled, pull, pull_all
from containerlab.images.registry.push import push
from containerlab.images.registry.stop import Stop, Stopped

__all__ = [
    "ANONYMOUS",
    "Asked",
    "Credentials",
    "Hosts",
    "Place",
    "Platform",
    "Pulled",
    "Stop",
    "Stopped",
    "log_in",
    "look_up",
    "pull",
    "pull_all",
    "push",
]
