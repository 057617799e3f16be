"""Builds: a Dockerfile and a context in, an image out."""
