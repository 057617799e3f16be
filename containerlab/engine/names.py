"""Container names: Docker's grammar, random names in Docker's manner, and near names for a typo."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable

from containerlab.errors import InvalidParameter

__all__ = ["NAME_PATTERN", "near", "new_id", "random_name", "validate"]

# moby daemon/names/names.go: RestrictedNameChars.
NAME_PATTERN = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
_NAME = re.compile(rf"/?{NAME_PATTERN}+")
_LONGEST = 255

_ADJECTIVES = """
    able agile amber ample bold brave breezy bright brisk calm candid careful cheerful civil clear clever
    cosy crisp curious daring dapper deft eager early earnest easy fair famous fancy fluent frank fresh
    friendly gentle glad golden grand happy hearty honest humble jolly keen kind lively loyal lucid lucky
    mellow merry mild modest neat nimble noble patient plucky polite prompt proud quick quiet ready robust
    rosy serene sharp silent silver sincere smart snug sober solid spry steady sunny swift tidy upbeat
    valiant vivid warm wise witty young zesty
"""

# People who shaped computing and the sciences that it stands on.
_SURNAMES = """
    abel allen babbage backus bell berners bernoulli bohr boole cantor cerf cheriton church clarke codd
    conway cook cray curie dahl darwin davies dennis dijkstra einstein engelbart erdos euclid euler faraday
    fermat feynman floyd fourier franklin galois gauss germain goldberg gosling hamilton hamming hartley
    hertz hilbert hoare hodgkin hopper huffman iverson johnson karp kay kepler kernighan kilburn kleene
    knuth kolmogorov lamarr lamport laplace leibniz liskov lovelace maxwell mccarthy mcilroy meitner milner
    minsky naur newell newton noether nygaard pascal perlis perlman postel ritchie saltzer shannon simon
    sutherland tarjan thompson torvalds turing ulam wang wiener wilkes wirth yao
"""


def new_id() -> str:
    """A random id of 64 hexadecimal digits that no one can take for a decimal number in its short form.

    A short id made of digits alone would be read as a number by programs (moby pkg/stringid does the same).
    """
    while True:
        candidate = secrets.token_hex(32)
        if not candidate[:12].isdigit():
            return candidate


def random_name(taken: Callable[[str], bool]) -> str:
    """A free ``adjective_surname``; after a few clashes a digit is added, as Docker does."""
    for attempt in range(1000):
        name = f"{secrets.choice(_ADJECTIVES.split())}_{secrets.choice(_SURNAMES.split())}"
        if attempt > 5:
            name += str(secrets.randbelow(10 ** (1 + attempt // 100)))
        if not taken(name):
            return name
    return f"container_{new_id()[:12]}"


def validate(name: str) -> str:
    """``name`` without its leading slash; raises InvalidParameter in Docker's words."""
    if len(name) > _LONGEST:
        raise InvalidParameter(f"Invalid container name ({name[:40]}…), it has more than {_LONGEST} characters")
    if not _NAME.fullmatch(name):
        raise InvalidParameter(f"Invalid container name ({name}), only {NAME_PATTERN} are allowed")
    return name.removeprefix("/")


def near(name: str, known: Iterable[str]) -> str:
    """A hint such as ``Did you mean web1 or web2?``, empty when nothing is near."""
    import difflib  # for mistakes alone: an engine at rest does without

    matches = difflib.get_close_matches(name.removeprefix("/"), sorted(known), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(matches)}?" if matches else ""
