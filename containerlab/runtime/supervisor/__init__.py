"""The supervisor: parent of every container of a store, keeper of their stdio, logs and exit codes.

It outlives the engine. One thread, one epoll loop, few imports. What it speaks is in docs/interfaces.md.
"""
