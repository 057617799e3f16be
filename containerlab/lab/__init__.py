"""What lessons call: measurements, diagrams and comparisons. Everything here is a client of the engine's API."""

__all__: list[str] = []
