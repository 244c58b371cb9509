"""Published tables, each format read into the same rows."""
