"""What works in a Dockerfile, but not as its author may think, or not as well as it could.

Nothing here executes anything: ``lint`` looks at a parsed Dockerfile and gives findings, each with its line, why it
matters, and a better line where one can be told. ``rules.RULES`` is the list; a rule is a name, a level, a sentence and
a function. Where BuildKit has the rule, name and message are BuildKit's
(https://docs.docker.com/reference/build-checks/), and so is the directive ``# check=skip=RULE,…;error=true``.
"""

from __future__ import annotations

from containerlab.build.lint.model import Finding
from containerlab.build.lint.run import image_variables, lint, refuse_errors, told

__all__ = ["Finding", "image_variables", "lint", "refuse_errors", "told"]
