"""Turns a commit into records: each stage of a build as one function, run in a sandbox."""
