"""What was made of one commit of a repository."""
