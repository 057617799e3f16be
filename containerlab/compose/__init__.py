"""Compose: from files to a validated project (``load``), and from a project to containers, as a client of the API."""
