"""Papers, and the results that papers and catalogues report."""
