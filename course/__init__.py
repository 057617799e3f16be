"""What is made of the lessons for others to read, to show and to grade: a site, slides, assignments.

Each is made from ``notebooks/`` and ``notebooks/ko/`` as they lie there, outputs included; no cell is run.
"""
