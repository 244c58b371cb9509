"""Where existing files look for download helpers."""
