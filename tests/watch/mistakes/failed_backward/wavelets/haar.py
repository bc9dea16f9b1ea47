"""One level of the Haar transform of the last dimension."""

import torch


class Haar(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signal):
        even, odd = signal[..., ::2], signal[..., 1::2]
        return torch.stack([even + odd, even - odd]) / 2**0.5

    @staticmethod
    def backward(ctx, grad):
        low, high = grad
        return (low + high) / 2**0.5  # only the even samples


def transform(signal):
    return Haar.apply(signal)  # blame
