"""What lessons call: measurements, diagrams and comparisons.

Everything here is a client of the engine's API; where no client is given, ``connect()`` finds the user's own engine.
"""

from containerlab.client import connect
from containerlab.lab.comparison import Comparison, compare
from containerlab.lab.diagrams import layer_sharing, stacks
from containerlab.lab.figure import Figure, Table
from containerlab.lab.sharing import Sharing, read_sharing
from containerlab.lab.timeline import timeline
from containerlab.lab.views import two_views

__all__ = [
    "Comparison",
    "Figure",
    "Sharing",
    "Table",
    "compare",
    "connect",
    "layer_sharing",
    "read_sharing",
    "stacks",
    "timeline",
    "two_views",
]
