"""The guestbook's database: SQLite below DATA, for whoever knows the password."""

import os
import sqlite3
from pathlib import Path

from common import Handler, password, serve

KEPT = sqlite3.connect(Path(os.environ.get("DATA", "/tmp"), "guests.sqlite"), check_same_thread=False)
KEPT.execute("create table if not exists guests (name text)")


class Guests(Handler):
    """``GET /`` is the names, a line each; ``POST /`` adds one."""

    def do_GET(self) -> None:
        if self._allowed():
            self.answer("\n".join(name for (name,) in KEPT.execute("select name from guests order by rowid")))

    def do_POST(self) -> None:
        if self._allowed():
            name = self.rfile.read(min(int(self.headers["Content-Length"]), 100)).decode()
            KEPT.execute("insert into guests values (?)", (name,))
            KEPT.commit()
            self.answer("thank you")

    def _allowed(self) -> bool:
        if self.headers["Authorization"] == password():
            return True
        self.answer("who are you?", 403)
        return False


serve(8001, Guests)
