"""What programs may ask over HTTP."""
