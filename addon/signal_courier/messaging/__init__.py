"""Sending, receiving and what the engine knows, in the house's own words."""
