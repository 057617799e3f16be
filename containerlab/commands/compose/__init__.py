"""``compose`` and its verbs: the words of ``docker compose``, over the room ``compose/``."""
