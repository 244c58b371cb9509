"""What the templates know besides Django's own."""
