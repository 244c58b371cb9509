"""One HTML file about one stored model; everything in it that came from the record is a stranger's text."""
