"""The commands of `sotabench` for machines that build; each module's `run(arguments)` answers with the exit code."""
