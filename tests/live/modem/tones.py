"""Letters as tones with a pause behind each: 16 bits, mono."""

import io
import wave
from typing import Final

import numpy as np

RATE: Final = 16000
"""Samples a second."""
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789 ,.'"
_LOWEST: Final = 500.0
_STEP: Final = 50.0
"""Hz between two letters."""
_TONE: Final = RATE * 80 // 1000
_PAUSE: Final = RATE * 50 // 1000
_WINDOW: Final = RATE * 5 // 1000
_LOUD: Final = 0.25
"""Of the loudest: more is a tone."""


def wav(text: str) -> bytes:
    """A text as a WAV file; other letters than it knows are left out."""
    times = np.arange(_TONE) / RATE
    fade = np.minimum(1, np.minimum(np.arange(_TONE), np.arange(_TONE)[::-1]) / (_TONE / 10))
    pause = np.zeros(_PAUSE)
    parts = [pause, pause]
    for letter in text.lower():
        if (index := _LETTERS.find(letter)) >= 0:
            parts += [fade * np.sin(2 * np.pi * (_LOWEST + _STEP * index) * times), pause]
    samples = (np.concatenate([*parts, pause]) * 16000).astype("<i2")
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return made.getvalue()


def heard(samples: bytes) -> str:
    """The text in what was recorded, without a header."""
    sound = np.frombuffer(samples[: len(samples) // 2 * 2], "<i2").astype(float)
    count = len(sound) // _WINDOW
    loudness = np.sqrt((sound[: count * _WINDOW].reshape(count, _WINDOW) ** 2).mean(axis=1))
    loud = np.concatenate([[False], loudness > _LOUD * loudness.max(initial=1), [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1])
    text = ""
    for begin, end in zip(edges[::2] * _WINDOW, edges[1::2] * _WINDOW, strict=True):
        if end - begin >= _TONE // 2:
            spectrum = np.abs(np.fft.rfft(sound[begin:end] * np.hanning(end - begin), 8 * RATE // 10 * 2))
            pitch = spectrum.argmax() * RATE / (8 * RATE // 10 * 2)
            text += _LETTERS[min(max(round((pitch - _LOWEST) / _STEP), 0), len(_LETTERS) - 1)]
    return text
