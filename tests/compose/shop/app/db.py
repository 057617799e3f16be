"""SQLite over HTTP: POST / with {"sql", "values"} gives the rows as JSON; GET /health says that it is there."""

import json
import sqlite3
from http.server import BaseHTTPRequestHandler, HTTPServer

DATABASE = sqlite3.connect("/data/shop.sqlite", isolation_level=None)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, "ok")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.answer(200, DATABASE.execute(asked["sql"], asked["values"]).fetchall())
        except sqlite3.Error as error:
            self.answer(400, str(error))

    def answer(self, status: int, what: object) -> None:
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Quiet."""


HTTPServer(("", 80), Handler).serve_forever()
