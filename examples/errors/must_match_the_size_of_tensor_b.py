"""
``The size of tensor a must match the size of tensor b at non-singleton dimension``
===================================================================================

Two tensors can't be broadcast to one shape. If you want a parameter of another shape,
assign a new ``nn.Parameter`` and create a new optimizer. In a forward pass, print the
two shapes in the line that the traceback shows.
"""

# %%
import torch

model = torch.nn.Linear(2, 3)
try:
    # Wrong: copy_() writes into the existing memory.
    with torch.no_grad():
        model.bias.copy_(torch.zeros(2))
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("two values were copied into three")
# Right: a new parameter, and a new optimizer.
model.weight = torch.nn.Parameter(model.weight[:2].detach().clone())
model.bias = torch.nn.Parameter(torch.zeros(2))
model.out_features = 2
optimizer = torch.optim.Adam(model.parameters())
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
print(model.bias.shape)
assert model.bias.tolist() != [0, 0]

# %%
# ``.data = ...`` takes any shape, and the error comes later
# ----------------------------------------------------------
# The old gradient and the state of the optimizer keep the old shape. The next
# ``backward()`` fails if it adds to this gradient, and ``step()`` fails if it uses this
# gradient or this state. With ``fused=True`` on a CPU, ``step()`` compares no shapes:
# it raises nothing, and takes the wrong values.
weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.Adam([weight])
weight.sum().backward()
optimizer.step()
optimizer.zero_grad()
# Wrong: only the data gets another shape.
weight.data = torch.ones(3)
weight.sum().backward()
try:
    optimizer.step()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the state has another shape")
assert "must match the size of tensor b" in message
wrong = torch.nn.Parameter(torch.ones(3))
fused = torch.optim.Adam([wrong], lr=0.1, fused=True)
wrong.grad = torch.tensor([1.0, 1.0, 1.0])
fused.step()
wrong.data, wrong.grad = torch.ones(2), torch.ones(2)
fused.step()
assert wrong.tolist() != [1, 1]
assert fused.state[wrong]["exp_avg"].shape == (3,)
# Right: a new parameter, and a new optimizer.
weight = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.Adam([weight])
weight.sum().backward()
optimizer.step()
print(weight.shape)
assert weight.tolist() != [1, 1, 1]

# %%
# ``step()`` fails after a checkpoint was loaded
# ----------------------------------------------
# The state of an optimizer is loaded by position, and the shapes are not compared. Pass
# the parameters in the order in which they were when the state was saved.
model = torch.nn.Linear(2, 3)
model(torch.ones(1, 2)).sum().backward()
optimizer = torch.optim.Adam(model.parameters())
optimizer.step()
saved = optimizer.state_dict()
# Wrong: weight and bias have changed places.
optimizer = torch.optim.Adam([model.bias, model.weight])
optimizer.load_state_dict(saved)
try:
    optimizer.step()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the state is that of another parameter")
assert "must match the size of tensor b" in message
# Right: the same order.
optimizer = torch.optim.Adam(model.parameters())
optimizer.load_state_dict(saved)
optimizer.step()
steps = optimizer.state[model.bias]["step"].item()
print(steps)
assert steps == 2

# %%
# Shapes that can be broadcast raise no error, even where you did not mean it: the
# difference of a ``(3, 1)`` and a ``(3,)`` is a matrix.
prediction, target = torch.ones(3, 1), torch.ones(3)
print((prediction - target).shape, (prediction[:, 0] - target).shape)
assert (prediction - target).shape == (3, 3)

# %%
# ``Sizes of tensors must match except in dimension 1``, ``The expanded size``
# ----------------------------------------------------------------------------
# Two relatives. ``torch.cat()`` in a UNet or behind two encoders: height and width
# differ, mostly by one pixel, because an odd size was halved and doubled. Pad the
# images to a multiple of the stride, or interpolate to the size of the other tensor.
# ``The expanded size of the tensor (600) must match the existing size (512)`` in a
# transformer: the text has more tokens than the model has positions. Cut it off with
# ``truncation=True, max_length=512``. For a ViT, the image has another size than in the
# pretraining: resize the image, or interpolate the position embedding
# (``interpolate_pos_encoding=True`` in transformers, ``img_size=...`` in timm, both not
# run here).
skip, up = torch.ones(1, 2, 5, 5), torch.ones(1, 2, 4, 4)
positions = torch.arange(4)[None]
texts = []
for wrong in (lambda: torch.cat([skip, up], 1), lambda: positions.expand(2, 6)):
    try:
        wrong()
    except RuntimeError as error:
        texts.append(str(error))
    else:
        raise AssertionError("two sizes fitted")
    print(texts[-1].split(". ")[0])
assert texts[0].startswith("Sizes of tensors must match except in dimension 1")
assert texts[1].startswith(
    "The expanded size of the tensor (6) must match the existing"
)
# Right: the size of the other tensor.
up = torch.nn.functional.interpolate(up, size=skip.shape[2:])
print(torch.cat([skip, up], 1).shape)
assert torch.cat([skip, up], 1).shape == (1, 4, 5, 5)

# %%
# Read on: :doc:`/gallery/detach/data_is_not_detach`.
