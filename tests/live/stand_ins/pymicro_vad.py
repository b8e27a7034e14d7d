"""Stands where Home Assistant imports its detector of speech, which would have to be compiled; nothing here listens to a microphone."""


class MicroVad:
    """Never made."""
