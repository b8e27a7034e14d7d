"""What happens to the account, as it comes in: event by event, how far, and what of it has been read."""
