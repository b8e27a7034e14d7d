"""Files on their way out, and those that came in."""
