"""Records that were stored earlier, perhaps by a stranger: read again, counted again, compared."""
