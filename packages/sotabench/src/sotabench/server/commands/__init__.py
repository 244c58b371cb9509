"""The commands of `sotabench`; each module's `run(arguments)` answers with the exit code."""
