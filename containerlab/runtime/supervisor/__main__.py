"""``python -S -E …/containerlab/runtime/supervisor [--run] RUN_FOLDER``."""

import os
import sys

# The interpreter put this very folder first; the package's parent belongs there (no site-packages: -S).
sys.path[0] = os.path.abspath(f"{os.path.dirname(__file__)}/../../..")  # noqa: PTH100, PTH120

from containerlab.runtime.supervisor.server import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
