"""Assist over Signal: conversations in which a conversation agent answers."""
