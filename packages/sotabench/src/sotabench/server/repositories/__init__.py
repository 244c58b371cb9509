"""Git repositories, on any host."""
