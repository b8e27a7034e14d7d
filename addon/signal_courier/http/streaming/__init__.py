"""Answers that never end, to clients that may be slow or gone."""
