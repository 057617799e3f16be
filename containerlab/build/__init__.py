"""Builds: a Dockerfile and a context in, an image out. See docs/interfaces.md."""

from __future__ import annotations

from containerlab.build.context import Context
from containerlab.build.executor import Builder
from containerlab.build.options import BuildOptions, Resources

__all__ = ["BuildOptions", "Builder", "Context", "Resources"]
