"""A request from the command line or from a program."""

import json
import sys
import urllib.request


def ask(sql: str, *values: object) -> list[list[object]]:
    """Rows of the database, which is reached by its name."""
    body = json.dumps({"sql": sql, "values": values}).encode()
    with urllib.request.urlopen("http://database/", body, timeout=20) as answer:
        return json.load(answer)


if __name__ == "__main__":
    print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())
