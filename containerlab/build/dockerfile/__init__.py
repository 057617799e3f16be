"""The Dockerfile: text in, stages of typed instructions out, every error at its line and column.

``parser`` folds lines into nodes, ``interpret`` gives nodes their meaning, ``words`` expands variables. Nothing here
executes anything or knows what an image is.
"""

from __future__ import annotations

from containerlab.build.dockerfile.instructions import Dockerfile, Instruction, Stage
from containerlab.build.dockerfile.interpret import parse, parse_trigger

__all__ = ["Dockerfile", "Instruction", "Stage", "parse", "parse_trigger"]
