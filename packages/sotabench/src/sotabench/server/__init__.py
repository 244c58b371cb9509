"""The site: accounts, repositories, papers, benchmarks and the results that are compared."""
