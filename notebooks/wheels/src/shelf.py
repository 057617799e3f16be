"""A shelf of books, and how many copies of each stand on it."""

from plural import plural


class Shelf:
    """``books`` maps titles to numbers of copies."""

    def __init__(self, books: dict[str, int]) -> None:
        self.books = books

    def report(self) -> str:
        """A line for each title, in the order of the alphabet."""
        return "\n".join(f"{title}: {plural(copies, 'copy', 'copies')}" for title, copies in sorted(self.books.items()))
