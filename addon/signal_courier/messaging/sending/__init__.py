"""Everything that is sent: one path, from the caller to what became of it."""
