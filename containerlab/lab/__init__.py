"""What lessons call: measurements, diagrams, comparisons, exercises.

Everything here is a client of the engine's API; where no client is given, ``connect()`` finds the user's own engine.
A name is imported when it is first used: a verb that needs one table must not wait for matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from containerlab.client import connect
    from containerlab.lab.audit import Audit, audit
    from containerlab.lab.comparison import Comparison, compare
    from containerlab.lab.diagrams import layer_sharing, stacks
    from containerlab.lab.exercises import Verdict, check, exercise
    from containerlab.lab.figure import Figure, Table
    from containerlab.lab.life_figure import life
    from containerlab.lab.local_registry import local_registry
    from containerlab.lab.namespaces import namespaces
    from containerlab.lab.reach_figure import network_map
    from containerlab.lab.sharing import Sharing, read_sharing
    from containerlab.lab.stages import draw_stages
    from containerlab.lab.stores import another_store
    from containerlab.lab.timeline import timeline
    from containerlab.lab.trace_figure import draw_trace
    from containerlab.lab.tracer import trace
    from containerlab.lab.usage import usage
    from containerlab.lab.views import two_views

__all__ = [
    "Audit",
    "Comparison",
    "Figure",
    "Sharing",
    "Table",
    "Verdict",
    "another_store",
    "audit",
    "check",
    "compare",
    "connect",
    "draw_stages",
    "draw_trace",
    "exercise",
    "layer_sharing",
    "life",
    "local_registry",
    "namespaces",
    "network_map",
    "read_sharing",
    "stacks",
    "timeline",
    "trace",
    "two_views",
    "usage",
]

_HOMES = {
    "connect": "containerlab.client",
    **dict.fromkeys(("Audit", "audit"), "containerlab.lab.audit"),
    **dict.fromkeys(("Comparison", "compare"), "containerlab.lab.comparison"),
    **dict.fromkeys(("layer_sharing", "stacks"), "containerlab.lab.diagrams"),
    **dict.fromkeys(("Verdict", "check", "exercise"), "containerlab.lab.exercises"),
    **dict.fromkeys(("Figure", "Table"), "containerlab.lab.figure"),
    **dict.fromkeys(("Sharing", "read_sharing"), "containerlab.lab.sharing"),
    "another_store": "containerlab.lab.stores",
    "local_registry": "containerlab.lab.local_registry",
    "namespaces": "containerlab.lab.namespaces",
    "network_map": "containerlab.lab.reach_figure",
    "draw_trace": "containerlab.lab.trace_figure",
    "trace": "containerlab.lab.tracer",
    "usage": "containerlab.lab.usage",
    "life": "containerlab.lab.life_figure",
    "draw_stages": "containerlab.lab.stages",
    "timeline": "containerlab.lab.timeline",
    "two_views": "containerlab.lab.views",
}


def __getattr__(name: str) -> Any:
    """The public name ``name``, from the module that has it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
