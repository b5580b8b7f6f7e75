"""Speech to write down: ten seconds that come with a package."""

import wave
from pathlib import Path

import numpy as np

from .fetch import wheel


def speech(cache: Path) -> Path:
    """A WAV of 16 kHz."""
    return wheel("useful-moonshine-onnx==20251121", cache) / "moonshine_onnx/assets/beckett.wav"


def read(path: Path) -> np.ndarray:
    """Samples of a WAV of 16 bits and one channel: `[samples]`, -1 to 1."""
    with wave.open(str(path)) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, 16000):
            raise ValueError(f"{path}: not 16 bits, 16 kHz, one channel")
        frames = file.readframes(file.getnframes())
    return np.frombuffer(frames, np.int16).astype(np.float32) / 32768
