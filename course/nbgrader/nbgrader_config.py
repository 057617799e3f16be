"""nbgrader's settings for a class that learns with containerlab; the folder that holds this file is the course."""

import os
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821  (traitlets gives it)

here = Path(__file__).resolve().parent
c.CourseDirectory.root = str(here)
c.CourseDirectory.course_id = "containers"

# Submissions are run in a store of their own: none of them sees, or ends, a container of the teacher's.
os.environ["CONTAINERLAB_STORE"] = str(here / ".grading/store")
os.environ["CONTAINERLAB_PROGRESS_FILE"] = str(here / ".grading/progress.json")

# A first cell makes the base image, and some lessons boot a machine.
c.ExecutePreprocessor.timeout = 180
