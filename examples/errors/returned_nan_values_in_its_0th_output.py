"""
``Function 'SqrtBackward0' returned nan values in its 0th output``
==================================================================

Anomaly mode names the operation whose derivative became NaN: here that of ``sqrt()`` at
0, which is infinite, times a factor of 0. Keep 0 away from the operation *before* it:
``x.clamp(min=1e-12).sqrt()``. A mask behind it is too late.
"""

# %%
import warnings

import torch

warnings.filterwarnings("ignore", message="Error detected")
x, mask = torch.tensor([0.0, 4.0], requires_grad=True), torch.tensor([0.0, 1.0])
with torch.autograd.set_detect_anomaly(True):
    try:
        # Wrong: the mask makes the value zero, and the derivative is infinite.
        (x.sqrt() * mask).sum().backward()
    except RuntimeError as error:
        print(f"RuntimeError: {error}")
    else:
        raise AssertionError("the derivative of sqrt() at 0 is finite")
# Right: sqrt() gets no zero.
(x.clamp(min=1e-12).sqrt() * mask).sum().backward()
print(x.grad)
assert x.grad.tolist() == [0, 0.25]

# %%
# Which line is it?
# -----------------
# Without anomaly mode there is no error, and the NaN goes into the weights. With it, a
# warning before the error shows the line of the forward pass. It is slow: switch it on
# for the search only.
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with torch.autograd.set_detect_anomaly(True):
        root = x.sqrt()
        try:
            (root * mask).sum().backward()
        except RuntimeError as error:
            message = str(error)
        else:
            raise AssertionError("the derivative of sqrt() at 0 is finite")
assert message.startswith("Function 'SqrtBackward0' returned nan")
lines = str(caught[-1].message).splitlines()
(line,) = [line.strip() for line in lines if "x.sqrt()" in line]
print(line)
assert line == "root = x.sqrt()"

# %%
# If the loss itself is NaN, the operation that is named may only have passed it on. So
# look at the loss first. And a derivative that is infinite, but not NaN, is not found.
with torch.autograd.set_detect_anomaly(True):
    try:
        (x * torch.tensor([1.0, torch.nan])).sum().log().backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("a NaN was not found")
    x.grad = None
    x.sqrt().sum().backward()
print(message)
print(x.grad)
assert message.startswith("Function 'LogBackward0'")
assert x.grad[0].isinf()

# %%
# Which operations?
# -----------------
# Those whose derivative is infinite at the edge, each with a factor of 0 behind it.
# ``torch.where`` behind the operation is such a factor, too. ``norm()`` and ``std()``
# have a derivative of zero there; a norm that you write yourself has not.
keep = torch.tensor([False, True])
functions = {
    "sqrt()": lambda x: x.sqrt() * mask,
    "x**0.5": lambda x: x**0.5 * mask,
    "log()": lambda x: x.log() * mask,
    "x * log(x)": lambda x: x * x.log(),
    "x / x": lambda x: x / x,
    "where()": lambda x: torch.where(keep, x.sqrt(), 0.0),
    "own norm": lambda x: (x * (1 - mask)).square().sum().sqrt(),
    "norm()": lambda x: (x * (1 - mask)).norm(),
    "std()": lambda x: (x * (1 - mask)).std(),
}
is_nan = {}
for name, function in functions.items():
    (gradient,) = torch.autograd.grad(function(x).sum(), x)
    is_nan[name] = gradient.isnan().any().item()
    print(f"{name:11}{is_nan[name]}")
assert [name for name, found in is_nan.items() if not found] == ["norm()", "std()"]

# %%
# ``0th output``, ``1th output``: ``PowBackward1`` and the gradient of an exponent
# --------------------------------------------------------------------------------
# The number counts the inputs of the operation from 0: the NaN is in the gradient of
# this input. ``PowBackward1`` is ``base ** exponent`` of two tensors, so its ``1th
# output`` (the second one, often quoted as ``1st``) belongs to the exponent. Its
# derivative is ``base ** exponent * log(base)``, and the logarithm of a negative base
# is NaN, although the power itself and the gradient of the base are finite. If the
# exponent should not train, detach it. If it should, the base must be positive:
# ``base.clamp(min=1e-8)`` makes it so, and changes the power of a negative base. With a
# number as the exponent it is ``PowBackward0``, which has no such gradient. A base of 0
# with a positive exponent gives a gradient of 0 today. It was NaN in versions of 2019
# (`issue 27134 <https://github.com/pytorch/pytorch/issues/27134>`__, not run);
# ``clamp(min=1e-8)`` helps there, too.
#
# For ``AddmmBackward0`` of ``nn.Linear``, 0 is the bias, 1 the input, and 2 the weight;
# for a convolution, 0 is the input, 1 the weight, and 2 the bias. ``next_functions`` of
# the node lists them.
base = torch.tensor([-1.0, 2.0], requires_grad=True)
exponent = torch.tensor([2.0, 2.0], requires_grad=True)
with torch.autograd.set_detect_anomaly(True):
    try:
        # Wrong: the exponent gets the logarithm of a negative number.
        (base**exponent).sum().backward()
    except RuntimeError as error:
        message = str(error)
    else:
        raise AssertionError("the exponent has a gradient")
    print(message)
    # Right: the exponent is a constant, or the base is positive.
    (base ** exponent.detach()).sum().backward()
    assert base.grad.tolist() == [-2, 4]
    (base.clamp(min=1e-8) ** exponent).sum().backward()
    print(base.grad, exponent.grad)
assert "'PowBackward1' returned nan values in its 1" in message
assert exponent.grad.isfinite().all()
(of_zero,) = torch.autograd.grad(torch.zeros(2).pow(exponent).sum(), exponent)
assert of_zero.tolist() == [0, 0]
node = (base**exponent).grad_fn
(of_base, _), (of_exponent, _) = node.next_functions
assert of_base.variable is base
assert of_exponent.variable is exponent
linear = torch.nn.Linear(2, 1)
(of_bias, _), (of_input, _), _ = linear(torch.ones(1, 2)).grad_fn.next_functions
assert of_bias.variable is linear.bias
assert of_input is None
convolution = torch.nn.Conv2d(1, 1, 1)
edges = convolution(torch.ones(1, 1, 1, 1)).grad_fn.next_functions
assert edges[0][0] is None
assert edges[1][0].variable is convolution.weight
assert edges[2][0].variable is convolution.bias

# %%
# The error comes with ``autocast`` and a ``GradScaler`` only
# -----------------------------------------------------------
# Then it is mostly no mistake. The scaler multiplies the loss by 65536 at first, and a
# gradient in float16 ends at 65504: it becomes infinite, and ``inf - inf`` in the layer
# before is NaN. Without anomaly mode, ``scaler.step()`` notices it, leaves out the
# step, and ``update()`` lowers the scale. So switch anomaly mode off, and look for NaN
# in float32 or bfloat16, without a scaler. If you need both, pass a small
# ``init_scale``. Worry if the scale goes on falling.
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Linear(64, 64))
data = torch.randn(8, 4)
sgd = torch.optim.SGD(net.parameters(), lr=1e-6)


def train(scaler, anomaly):
    sgd.zero_grad()
    with torch.autograd.set_detect_anomaly(anomaly):
        with torch.autocast("cpu", torch.float16):
            loss = net(data).float().sum()
        scaler.scale(loss).backward()
    scaler.step(sgd)
    scaler.update()
    return scaler.get_scale()


try:
    train(torch.amp.GradScaler("cpu"), anomaly=True)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("65536 fits into float16")
print(message)
scaler = torch.amp.GradScaler("cpu")
print([train(scaler, anomaly=False) for _ in range(3)])
assert "returned nan values" in message
assert net[0].weight.isfinite().all()
assert train(torch.amp.GradScaler("cpu", init_scale=128.0), anomaly=True) == 128

# %%
# What does not help
# ------------------
# - ``clip_grad_norm_()``: the norm of all gradients is NaN, and then every gradient is.
#   Pass ``error_if_nonfinite=True`` to notice it.
# - A ``min`` that the dtype rounds to 0, as float16 does with ``1e-12``: ``sqrt()``
#   gets a zero again, and up to PyTorch 2.13 the gradient is NaN. Use ``1e-6`` there.
# - Freezing the layer before ``sqrt()``: NaN passes to what trains before it.
# - A loss weight of 0. Leave the term out of the loss.
first, frozen = torch.nn.Linear(1, 2), torch.nn.Linear(2, 2).requires_grad_(False)
torch.nn.init.zeros_(frozen.weight)
torch.nn.init.zeros_(frozen.bias)
(0 * frozen(first(torch.ones(1, 1))).sqrt()).sum().backward()
assert first.weight.grad.isnan().all()
other = torch.ones(1, requires_grad=True)
other.grad = torch.ones(1)
torch.nn.utils.clip_grad_norm_([first.weight, other], 1.0)
print(other.grad)
assert other.grad.isnan().all()
half = torch.zeros(1, dtype=torch.float16)
for smallest in (1e-12, 1e-6):
    assert (half.clamp(min=smallest) == 0) == (smallest == 1e-12)
try:
    torch.nn.utils.clip_grad_norm_([first.weight], 1.0, error_if_nonfinite=True)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a norm of NaN was accepted")
assert "is non-finite" in message

# %%
# The name of the operation changes with your code: ``PowBackward0``, ``DivBackward0``,
# ``MulBackward0``, ``LogBackward0``. Before the zero at its end, as in
# ``SolveBackward`` (quoted from `issue 37712
# <https://github.com/pytorch/pytorch/issues/37712>`__ of 2020, not run), the text was
# the same.
#
# Read on: :doc:`/gallery/graph/zero_is_not_none`.
