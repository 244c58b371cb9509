"""The predecessor's evaluator for files that run their own loop, on top of torchbench: same numbers, same record.

The published package of the same name evaluates more than images; install that one in an environment of its own.
"""
