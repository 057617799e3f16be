"""The network helper: one process a store that serves names and published ports, and outlives the engine."""
