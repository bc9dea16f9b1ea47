"""
``Found dtype Double but expected Float``
=========================================

The target of the loss has another dtype than the prediction: float64 from NumPy or
pandas, or integers. Some losses raise it in the forward pass, others only in
``backward()``. Convert the target: ``target.float()``.
"""

# %%
import numpy as np
import torch
import torch.nn.functional as F

net, x = torch.nn.Linear(2, 1), torch.ones(3, 2)
target = torch.from_numpy(np.zeros((3, 1)))
loss = F.huber_loss(net(x), target)
try:
    # Wrong: numbers of NumPy are in float64.
    loss.backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("the target had the dtype of the prediction")
# Right: the dtype of the prediction.
loss = F.huber_loss(net(x), target.float())
loss.backward()
print(net.bias.grad.dtype)
assert net.bias.grad.dtype == torch.float32

# %%
# Which losses?
# -------------
# Here ``HuberLoss`` raises it in ``backward()``, ``BCELoss`` in the forward pass. With
# integers, such as labels of 0 and 1, the text is ``Found dtype Long but expected
# Float``. ``MSELoss``, ``L1Loss`` and ``SmoothL1Loss`` raise nothing today: the loss is
# in float64, and the gradient in the dtype of the weights. In older versions they
# raised it in ``backward()`` (`yolov7_3d 8
# <https://github.com/Rickyyy-zh/yolov7_3d/issues/8>`__ with PyTorch 1.8, in 1.12.1 it
# was gone; quoted, not run). ``loss.float()`` is no cure, because the mistake is before
# it. ``CrossEntropyLoss`` is different: it wants class numbers as integers
# (``target.long()``).
losses = {
    "huber_loss": F.huber_loss,
    "binary_cross_entropy": lambda p, t: F.binary_cross_entropy(p.sigmoid(), t),
    "mse_loss": F.mse_loss,
    "l1_loss": F.l1_loss,
    "smooth_l1_loss": F.smooth_l1_loss,
}
raised = {}
for name, function in losses.items():
    for wrong in (target, target.long()):
        try:
            function(net(x), wrong).float().backward()
        except RuntimeError as error:
            raised.setdefault(name, []).append(str(error))
for name, texts in raised.items():
    print(f"{name:22}{texts}")
for name in ("huber_loss", "binary_cross_entropy"):
    double, long = raised[name]
    assert double == "Found dtype Double but expected Float"
    assert long == "Found dtype Long but expected Float"

# %%
# Where does float64 come from?
# -----------------------------
# Python's floats become float32, those of NumPy stay float64, also after the
# ``DataLoader`` has made a batch of them. Convert in the dataset, once.
# ``model.double()`` would do, too, with twice the memory and a slower training.
#
# - ``torch.tensor([0.5])`` is float32. ``torch.tensor(np.array([0.5]))`` and
#   ``torch.from_numpy(array)`` are float64: add ``.float()``, or pass
#   ``dtype=torch.float32``.
# - ``df.to_numpy()`` of pandas is float64: ``df.to_numpy(dtype="float32")``.
# - In reinforcement learning it is the reward, and with it ``reward + gamma * value``.
#
# If the input of the network is in float64, another error comes earlier:
# :doc:`have_the_same_dtype`.
batch = next(iter(torch.utils.data.DataLoader([np.float64(0.5)] * 2)))
dtypes = {
    "torch.tensor([0.5])": torch.tensor([0.5]).dtype,
    "torch.tensor(array)": torch.tensor(np.array([0.5])).dtype,
    "DataLoader": batch.dtype,
    "reward + value": (torch.tensor(np.array([0.5])) + 0.9 * net(x)[0]).dtype,
}
for name, dtype in dtypes.items():
    print(f"{name:21}{dtype}")
assert list(dtypes.values()) == [torch.float32, *[torch.float64] * 3]

# %%
# ``Expected scalar type Long but found Float`` from ``CrossEntropyLoss``
# -----------------------------------------------------------------------
# It wants class numbers. The labels came as floats, from a table or after ``.float()``,
# or as int32. Write ``labels.long()``. Newer versions of PyTorch say ``expected target
# dtype to be Long or Byte``, and GPUs ``nll_loss_forward_reduce_cuda_kernel_2d_index``
# not implemented for 'Float' (quoted, not run). Labels of 0 and 1 for
# ``BCEWithLogitsLoss`` need the opposite, ``labels.float()``: with integers it says
# ``result type Float can't be cast to the desired output type Long``. Floats in the
# shape of the predictions are probabilities, and allowed.
logits, numbers = torch.zeros(2, 3, requires_grad=True), torch.tensor([0.0, 2.0])
texts = []
for wrong in (
    lambda: F.cross_entropy(logits, numbers),
    lambda: F.cross_entropy(logits, numbers.int()),
    lambda: F.binary_cross_entropy_with_logits(logits[:, 0], numbers.long()),
):
    try:
        wrong()
    except RuntimeError as error:
        texts.append(str(error))
    else:
        raise AssertionError("the labels were accepted")
print(*texts, sep="\n")
assert "Long" in texts[0]
assert "Int" in texts[1]
assert texts[2] == "result type Float can't be cast to the desired output type Long"
F.cross_entropy(logits, numbers.long()).backward()  # right
print(logits.grad.shape)
assert logits.grad.any()

# %%
# Read on: :doc:`have_the_same_dtype`, :doc:`/gallery/beyond/mixed_precision`.
