"""Benchmarks beside the peers: every figure of ours is taken in one run with the same figure of theirs.

``python -m bench`` (as root, with the packages of apt-test.txt) prints a table and writes build/bench.json. The
two sides take turns, A B A B, so that a noisy neighbour hits both. Each benchmark runs back to back and again
with gaps of 300 ms, because caches that are warm in a tight loop are cold in a notebook.
"""
