"""Requests in, pages out: views ask the queries, call the services, and translate refusals."""
