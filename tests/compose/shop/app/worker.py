"""Write in capitals what isn't yet."""

import time

from client import ask

print("working", flush=True)
while True:
    for (word,) in ask("SELECT word FROM words WHERE capitals IS NULL"):
        ask("UPDATE words SET capitals = ? WHERE word = ?", str(word).upper(), word)
    time.sleep(0.05)
