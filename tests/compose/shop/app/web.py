"""GET /add/WORD takes a word in; GET / gives all of them with their capitals."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer

from client import ask


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, verb, *rest = self.path.split("/")
        if verb == "add":
            ask("INSERT OR REPLACE INTO words VALUES (?, NULL)", rest[0])
        body = json.dumps(dict(ask("SELECT word, capitals FROM words"))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("", 80), Handler).serve_forever()
