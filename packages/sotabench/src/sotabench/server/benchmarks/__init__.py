"""Benchmarks, and the results that code reached on them."""
