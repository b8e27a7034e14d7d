"""The commands a newcomer types, and what the project says about itself."""
