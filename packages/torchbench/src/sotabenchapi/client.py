"""The predecessor's client of a site, which this part of its package has not."""

raise ImportError(
    "expected the part of sotabenchapi that records results, found sotabenchapi.client, which is not in this library: "
    "instead of a copy of the predecessor's evaluator import that of sotabencheval.image_classification; to speak to a "
    "site, install the published sotabenchapi in an environment of its own",
    name=__name__,
)
