"""Data sets that a repository brings along."""
