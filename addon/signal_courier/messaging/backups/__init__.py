"""Everything that cannot be had again, in one file, and back."""
