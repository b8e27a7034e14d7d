"""Stands where Home Assistant imports its noise suppression, which would have to be compiled; nothing here listens to a microphone."""


class AudioProcessor:
    """Never made."""
