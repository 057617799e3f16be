"""Every verb once: a click command, a call of the engine's API, and a result object.

The command line and the magics run the same tree (:mod:`containerlab.commands.registry`). A verb never prints: it
returns a :class:`~containerlab.commands.result.Result`, and what streams goes to the
:class:`~containerlab.commands.output.Output` it is given.
"""
