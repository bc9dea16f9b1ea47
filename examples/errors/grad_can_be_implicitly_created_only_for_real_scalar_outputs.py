"""
``grad can be implicitly created only for real scalar outputs``
===============================================================

The loss is a complex number. Of two complex numbers, none is the smaller one, so there
is nothing to minimise. Compute a real number from it, such as ``z.abs().square()``.
"""

# %%
import torch

z = torch.tensor(1 + 2j, requires_grad=True)
# Wrong: z * z is complex.
try:
    (z * z).backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a complex number was minimised")
# Right: the squared size is real.
loss = z.abs().square()
loss.backward()
print(z.grad)
assert z.grad.allclose(2 * z.detach())

# %%
# A complex loss often comes from ``torch.fft`` or from a complex network. ``z.real`` is
# real, too. It trains the real part of the loss only: choose it if the imaginary part
# does not matter.
signal = torch.tensor([1.0, 2.0], requires_grad=True)
# Wrong: the sum of a spectrum is complex.
spectrum = torch.fft.fft(signal)
print(spectrum.sum().dtype)
assert spectrum.sum().is_complex()
# Right: its power is real.
loss = spectrum.abs().square().sum()
loss.backward()
print(loss.dtype, signal.grad)
assert signal.grad.allclose(4 * signal.detach())

# %%
# A complex result that is not the loss, for example for a Jacobian, needs a gradient of
# its own: ``backward(gradient)``.
z.grad = None
(z * z).backward(torch.tensor(1 + 0j))
print(z.grad)
assert z.grad.allclose(2 * z.detach().conj())

# %%
# Read on: :doc:`/gallery/beyond/complex_and_double_backward`.
