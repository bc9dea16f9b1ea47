"""
``Expected all tensors to be on the same device``, ``not on the expected device``
=================================================================================

One tensor of the operation stayed on the CPU, the others are on the GPU. Often it is a
layer that was made after ``model.to(device)``, such as a new head, or a tensor that is
neither a parameter nor a buffer. Move the model after it is complete.
"""

# %%
import torch
from torch import nn

device = torch.device("meta")  # here in the place of "cuda"
x, model = torch.ones(2, 4, device=device), nn.Sequential(nn.Linear(4, 4))
try:
    # Wrong: the head is made after the model was moved.
    model.to(device)
    model.append(nn.Linear(4, 2))
    model(x)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("two devices worked together")
# Right: first the head, then to(device).
model.to(device)
print({p.device.type for p in model.parameters()}, model(x).shape)
assert {p.device for p in model.parameters()} == {device}

# %%
# ``found at least two devices, cuda:0 and cpu``: which tensor is it?
# -------------------------------------------------------------------
# The text on a GPU is ``Expected all tensors to be on the same device, but found at
# least two devices, cuda:0 and cpu! (when checking argument for argument mat1 in method
# wrapper_CUDA_addmm)``, or ``Input type (torch.cuda.FloatTensor) and weight type
# (torch.FloatTensor) should be the same`` from a convolution (quoted, not run).
# ``mat1`` or ``Input`` is the data; ``mat2``, ``weight``, ``bias`` or ``index`` may be
# the other one. Print what is left on the CPU. ``tensor.to(device)`` returns a copy:
# ``x = x.to(device)``. Only ``module.to(device)`` changes the module itself.
model = nn.Sequential(nn.Linear(4, 4).to(device), nn.BatchNorm1d(4))
rest = [n for n, t in model.state_dict(keep_vars=True).items() if t.device != device]
print(rest)
assert "1.weight" in rest
assert "1.running_mean" in rest
y = torch.ones(2)
y.to(device)  # wrong: the result is thrown away
assert y.device.type == "cpu"
y = y.to(device)  # right
assert y.device == device

# %%
# ``self.mask = torch.ones(...)`` and ``self.layers = [...]`` are not moved
# -------------------------------------------------------------------------
# ``module.to(device)`` moves parameters, buffers and submodules. A tensor that is an
# attribute stays where it is, and so do layers in a plain list or dictionary, which the
# optimizer doesn't get either. Use ``register_buffer()`` (with ``persistent=False`` if
# it should not be saved) and ``nn.ModuleList``. What ``forward()`` makes anew needs
# ``device=x.device``.


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mask = torch.ones(4)  # wrong
        self.register_buffer("moved_mask", torch.ones(4))  # right
        self.layers = [nn.Linear(4, 4)]  # wrong
        self.moved_layers = nn.ModuleList([nn.Linear(4, 4)])  # right


net = Net().to(device)
places = {
    "mask": net.mask,
    "moved_mask": net.moved_mask,
    "layers": net.layers[0].weight,
    "moved_layers": net.moved_layers[0].weight,
}
for name, tensor in places.items():
    print(f"{name:13}{tensor.device}")
    assert (tensor.device == device) == name.startswith("moved_")
assert len(list(net.parameters())) == 2

# %%
# The loss raises it: ``CrossEntropyLoss(weight=...)``, labels, a loss with parameters
# ------------------------------------------------------------------------------------
# The loss is a module, too, and its class weights are a buffer:
# ``criterion.to(device)`` moves them. Labels need a ``.to(device)`` of their own. A
# number such as ``torch.tensor(0.1)`` is no reason: a tensor without dimensions on the
# CPU can be used with one on the GPU.
logits = torch.ones(2, 3, device=device)
labels = torch.zeros(2, dtype=torch.long, device=device)
criterion = nn.CrossEntropyLoss(weight=torch.ones(3))
try:
    # Wrong: the weights of the classes are on the CPU.
    criterion(logits, labels)
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the weights were moved")
assert "is not on the expected device" in message
# Right: the loss is moved.
print(criterion.to(device)(logits, labels).device)
assert criterion(logits, labels).device == device
assert (logits * torch.tensor(0.1)).device == device

# %%
# It comes from ``optimizer.step()`` after loading a checkpoint
# -------------------------------------------------------------
# ``exp_avg`` and ``momentum_buffer`` are where the parameters were when they were
# loaded or made: ``optimizer.load_state_dict()`` moves the state to the device of each
# parameter, and ``model.to(device)`` doesn't move the state. So call
# ``model.to(device)`` first, then create the optimizer, then load. If the state is in
# the wrong place already, load the ``state_dict()`` of the optimizer into itself, once
# more. (``step`` of Adam remains on the CPU, unless it is
# ``capturable`` or ``fused``; that is right.)
small = nn.Linear(4, 2)
optimizer = torch.optim.SGD(small.parameters(), lr=0.1, momentum=0.9)
small(torch.ones(1, 4)).sum().backward()
optimizer.step()
saved = optimizer.state_dict()
moved = nn.Linear(4, 2).to(device)
optimizer = torch.optim.SGD(moved.parameters(), lr=0.1, momentum=0.9)
optimizer.load_state_dict(saved)
state = {s["momentum_buffer"].device.type for s in optimizer.state.values()}
print(saved["state"][0]["momentum_buffer"].device, state)
assert state == {"meta"}

# %%
# cuda:0 and cuda:1: ``device_map="auto"``, LoRA, a second network
# ----------------------------------------------------------------
# The layers are spread over several GPUs, and the model moves what goes from one layer
# to the next. What you add has to follow by yourself: a new head or ``lm_head`` goes to
# the device of its input, ``hidden.to(head.weight.device)``, labels and a mask to that
# of the logits. Don't call ``.to("cuda")`` or ``.cuda()`` on such a model. If it fits
# on one GPU, ``device_map={"": 0}`` ends the error (not run here):
# :doc:`/gallery/cost/memory_that_freezing_saves`.
#
# If the text in your program names ``meta`` and ``cpu``, a weight was never loaded:
# :doc:`attempted_to_use_an_uninitialized_parameter`.
#
# Read on: :doc:`/gallery/freezing/layers_made_too_late`.
