"""containerlab: learn what a container is by running one.

``%load_ext containerlab`` adds ``%container``, ``%%container`` and ``%%dockerfile`` to a notebook;
``python -m containerlab`` is the same program in a terminal.

This file stays almost empty on purpose: the supervisor imports the package on every start, and every
module imported here would be paid for in each container.
"""

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension"]

__version__ = "0.1.0"


def load_ipython_extension(shell: object) -> None:
    """Entry point of ``%load_ext containerlab`` (IPython's extension protocol)."""
    from containerlab import notebook

    notebook.load(shell)


def unload_ipython_extension(shell: object) -> None:
    """Entry point of ``%unload_ext containerlab``."""
    from containerlab import notebook

    notebook.unload(shell)
