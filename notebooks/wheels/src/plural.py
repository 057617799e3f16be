"""One copy, two copies."""


def plural(count: int, one: str, many: str) -> str:
    """The number and its word."""
    return f"{count} {one if count == 1 else many}"
