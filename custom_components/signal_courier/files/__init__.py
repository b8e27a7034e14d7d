"""Files that are sent, and files that have come."""
