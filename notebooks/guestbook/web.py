"""The guestbook's web server: it shows who was here, and asks the database for it."""

import os
import urllib.request

from common import Handler, password, serve
from plural import plural

DATABASE = os.environ.get("DATABASE", "http://db:8001/")


def ask(name: str | None = None) -> str:
    """What the database says; with a name it writes that down first."""
    data = None if name is None else name.encode()
    request = urllib.request.Request(DATABASE, data, {"Authorization": password()})
    return urllib.request.urlopen(request, timeout=5).read().decode()


class Page(Handler):
    """``GET /`` is the guestbook, ``POST /`` signs it."""

    def do_GET(self) -> None:
        names = ask().splitlines()
        self.answer(f"{plural(len(names), 'guest', 'guests')}: {', '.join(names)}\n")

    def do_POST(self) -> None:
        self.answer(ask(self.rfile.read(min(int(self.headers["Content-Length"]), 100)).decode()))


serve(8000, Page)
