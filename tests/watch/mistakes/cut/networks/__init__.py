"""The parts of a two-stream network."""

from .fusion import Fusion
from .streams import AudioStream, VideoStream

__all__ = ["AudioStream", "Fusion", "VideoStream"]
