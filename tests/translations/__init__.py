"""What people read: complete in every language, up to date, and there for every key that the integration uses."""
