"""The virtual machine backend: QEMU boots a container's own root file system and behaves as a container run.

`python -m containerlab.runtime.vm BUNDLE` is the process that the supervisor starts for a bundle whose backend is
``vm``. Standard library alone, as all that the supervisor starts.
"""

from __future__ import annotations

from containerlab.runtime.vm.probe import accel, available

__all__ = ["accel", "available"]
