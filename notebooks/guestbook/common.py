"""What both halves of the guestbook need: the password that one asks of the other, and a server."""

import http.server
import os
from pathlib import Path


def password() -> str:
    """From the file that PASSWORD_FILE names, else from PASSWORD."""
    file = os.environ.get("PASSWORD_FILE")
    return Path(file).read_text().strip() if file else os.environ["PASSWORD"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with a text."""

    def answer(self, text: str, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words: object) -> None:
        """Nothing: what a container writes is kept."""


def serve(port: int, handler: type[Handler]) -> None:
    """Until somebody stops it."""
    http.server.ThreadingHTTPServer(("", port), handler).serve_forever()
