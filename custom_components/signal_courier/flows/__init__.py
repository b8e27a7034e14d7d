"""The dialogs of set-up, options and conversations, a step family a module."""
