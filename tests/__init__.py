"""Everything that Signal Courier promises, checked."""
