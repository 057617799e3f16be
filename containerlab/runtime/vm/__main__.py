"""``python -m containerlab.runtime.vm BUNDLE``: boot the bundle, exit with its command's code."""

from __future__ import annotations

import sys
from pathlib import Path

from containerlab.runtime.vm.launcher import main

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m containerlab.runtime.vm BUNDLE")
    sys.exit(main(Path(sys.argv[1])))
