"""``python -m tests.relay LISTEN ENGINE``: who reaches the socket LISTEN speaks to ENGINE as the user who runs this.

An unprivileged user's engine hears nobody but that user, and docker-py lives in the test's own process.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _carry(client: socket.socket, engine: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as far:
        far.connect(engine)
        back = threading.Thread(target=_copy, args=(far, client))
        back.start()
        _copy(client, far)
        back.join()


def main(listen: str, engine: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(listen)
        server.listen(64)
        print("ready", flush=True)
        while True:
            client, _ = server.accept()
            threading.Thread(target=_carry, args=(client, engine), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
