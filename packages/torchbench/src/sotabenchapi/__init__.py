"""The part of the predecessor's client that existing `sotabench.py` files import, on top of torchbench.

The published client of the same name speaks to a site; install that one in an environment of its own.
"""
