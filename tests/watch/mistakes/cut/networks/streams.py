"""An encoder for each kind of input."""

from torch import nn


class AudioStream(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv1d(1, width, 5, stride=2)

    def forward(self, sound):
        return self.conv(sound).relu().mean(-1)


class VideoStream(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.frame = nn.Linear(12, width)
        self.time = nn.GRU(width, width, batch_first=True)

    def forward(self, frames):
        return self.time(self.frame(frames))[1].squeeze(0)
