"""Make the tables, and end."""

from client import ask

ask("CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY, capitals TEXT)")
print("the tables are there")
