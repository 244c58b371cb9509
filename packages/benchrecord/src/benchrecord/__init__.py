"""What an evaluation of a model produced, and every number that follows from it."""
