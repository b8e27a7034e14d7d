"""Plain values: no input or output."""
