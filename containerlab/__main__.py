"""The ``containerlab`` program; ``python -m containerlab`` is the same.

What belongs below the line of ``docs/design.md`` is dispatched here, before click or docker-py is imported:
the engine must not carry its clients' libraries, and ``runtime`` is called by other engines per container.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the verb that ``sys.argv`` names; returns the exit code."""
    match sys.argv[1:]:
        case ["serve", *rest]:
            from containerlab.api.serve import main as serve

            return serve(rest)
        case ["doctor", *rest]:
            from containerlab import paths
            from containerlab.images.shared import describe
            from containerlab.network.way_out_probe import way_out_refusal
            from containerlab.runtime.doctor import main as doctor

            shared = paths.shared_store()
            told = describe(shared, paths.store_folder()) if shared is not None else None
            return doctor(rest, {"way_out": way_out_refusal}, told)
        case ["system", "check", *rest]:
            from containerlab.engine.check import main as check

            return check(rest)
        case ["system", "reset", *rest]:
            from containerlab.api.reset import main as reset

            return reset(rest)
        case ["runtime", *rest]:
            from containerlab.runtime.cli import main as runtime

            return runtime(rest)
        case _:
            from containerlab.cli import main as front_end

            return front_end()


if __name__ == "__main__":
    sys.exit(main())
