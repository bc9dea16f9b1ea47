"""
``returned an invalid gradient at index 0``
===========================================

The ``backward()`` of a custom function returned a gradient in another shape than the
input of ``forward()`` with this index, which counts from 0 and leaves out ``ctx``.
Return the gradients in the order of the inputs, each in the shape of its input.
"""

# %%
import torch


class Flatten(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        return x.flatten()

    @staticmethod
    def backward(_ctx, gradient):
        return gradient  # wrong: the shape of the output


x = torch.ones(2, 3, requires_grad=True)
try:
    Flatten.apply(x).sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a gradient in another shape was accepted")
# Right: the shape of the input.
Flatten.backward = lambda _ctx, gradient: gradient.reshape(2, 3)
Flatten.apply(x).sum().backward()
assert x.grad.equal(torch.ones(2, 3))
print(x.grad.shape)

# %%
# Two gradients in the wrong order
# --------------------------------
# If the inputs have different shapes, this raises the error. If the shapes are equal,
# the gradients are wrong, and nothing is raised. ``gradcheck`` compares with numerical
# gradients, in double precision.


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a @ b

    @staticmethod
    def backward(ctx, gradient):
        a, b = ctx.saved_tensors
        for_a, for_b = gradient @ b.T, a.T @ gradient
        # Wrong: the gradient of the second input comes first.
        return (for_a, for_b) if is_right else (for_b, for_a)


def matrix(*shape):
    return torch.rand(*shape, dtype=torch.float64, requires_grad=True)


torch.manual_seed(0)
unequal, square = (matrix(2, 3), matrix(3, 4)), (matrix(3, 3), matrix(3, 3))
is_right = False
try:
    Product.apply(*unequal).sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("swapped gradients were accepted")
Product.apply(*square).sum().backward()
for is_right in (False, True):
    correct = torch.autograd.gradcheck(Product.apply, square, raise_exception=False)
    print(f"gradcheck: {correct}")
    assert correct == is_right

# %%
# ``returned an incorrect number of gradients``
# ---------------------------------------------
# ``backward()`` has to return one value for each input of ``forward()``, and ``None``
# for an input that has no gradient, such as a number or a flag.


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx, gradient):
        # Wrong: nothing for the factor.
        return gradient * ctx.factor


x = torch.ones(2, requires_grad=True)
try:
    Scale.apply(x, 3).sum().backward()
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a gradient is missing")
# Right: None for the factor.
Scale.backward = lambda ctx, gradient: (gradient * ctx.factor, None)
Scale.apply(x, 3).sum().backward()
print(x.grad)
assert x.grad.tolist() == [3, 3]

# %%
# ``Function AddBackward0 returned an invalid gradient``: the last, smaller batch
# -------------------------------------------------------------------------------
# ``AddBackward0`` is a function of PyTorch, and so are other names with ``Backward0``.
# You wrote no ``backward()``, and the gradient is right. The shape that it is compared
# with is old: ``.data`` of a leaf, such as a perturbation of the batch, was replaced by
# a tensor of another shape while an earlier graph with this leaf was still there,
# usually in ``loss``. Keep one tensor for a full batch and take a slice of it, make a
# new tensor for each batch, or pass ``drop_last=True`` to the ``DataLoader``.
#
# Setting another ``batch_size`` only helps if it divides the data set. ``del loss``
# before the new forward pass gets past this error, but ``.grad`` still has the old
# shape, and ``backward()`` raises another one.
batches = [torch.ones(4, 2), torch.ones(3, 2)]
noise = torch.zeros(4, 2, requires_grad=True)
loss = (batches[0] + noise).sum()
loss.backward()
try:
    # Wrong: another shape while the graph of the first batch is there.
    noise.data = torch.zeros(3, 2)
    (batches[1] + noise).sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the new shape was accepted")
print(message)
assert message.startswith("Function AddBackward0 returned an invalid gradient at index")
assert "got [3, 2] but expected shape compatible with [4, 2]" in message
del loss
try:
    (batches[1] + noise).sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the old gradient fits")
assert "must match the size of tensor b" in message
# Right: a slice for each batch.
noise = torch.zeros(4, 2, requires_grad=True)
for batch in batches:
    noise.grad = None
    loss = (batch + noise[: len(batch)]).sum()
    loss.backward()
print(noise.grad)
assert noise.grad[:, 0].tolist() == [1, 1, 1, 0]

# %%
# After pruning, also under DataParallel: BroadcastBackward returned an invalid gradient
# --------------------------------------------------------------------------------------
# Filters were removed with ``param.data = param.data[keep]``, and the gradient with the
# new number of filters meets the old number. The shape is remembered by what was made
# from the parameter before: a graph that still exists, ``.grad``, the state of the
# optimizer, DDP. In ``DataParallel`` the parameters go through a function
# ``Broadcast``, so the message has its name; without it, that of the layer.
#
# Put a new ``nn.Parameter`` in the place of the old one (it has no graph and no
# ``.grad``), do the same with the inputs of the next layer, and correct
# ``out_channels`` and ``in_channels``. Prune ``model.module``, outside of a step, and
# make ``DataParallel`` or DDP and the optimizer again afterwards. To keep the state of
# the optimizer: :doc:`/gallery/recipes/replacing_parameters`.
first, second = torch.nn.Linear(2, 4), torch.nn.Linear(4, 1)
model, keep = torch.nn.Sequential(first, second), [0, 1, 3]
loss = model(torch.ones(1, 2)).sum()
loss.backward()
try:
    # Wrong: .data, while the graph of the last step is there.
    first.weight.data, first.bias.data = first.weight.data[keep], first.bias.data[keep]
    second.weight.data = second.weight.data[:, keep]
    model(torch.ones(1, 2)).sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("the new shape was accepted")
print(message)
assert "returned an invalid gradient at index" in message
# Right: new parameters, and a new optimizer.
first.weight = torch.nn.Parameter(first.weight.detach().clone())
first.bias = torch.nn.Parameter(first.bias.detach().clone())
second.weight = torch.nn.Parameter(second.weight.detach().clone())
first.out_features = second.in_features = len(keep)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
print(first.weight.grad.shape, second.weight.grad.shape)
assert first.weight.grad.shape == (3, 2)

# %%
# DeepSpeed ZeRO-3: ``SumBackward0 ... got [0] but expected shape compatible with``
# ---------------------------------------------------------------------------------
# Under ZeRO-3 a parameter is an empty tensor of shape ``[0]``, unless it is small or
# its own module is computing. A term that reads it elsewhere, such as ``0.0 *
# sum(p.sum() for p in part.parameters())``, which is added so that DDP finds no unused
# parameter, or a penalty on the weights, gets a gradient of shape ``[0]`` (reported in
# `DeepSpeed 7078
# <https://github.com/deepspeedai/DeepSpeed/issues/7078>`__; DeepSpeed was not run).
# With ZeRO-2, which leaves the parameters whole, the same code runs, and if the part is
# frozen, the term needs no gradient.
#
# - Remove the term. In that report, ZeRO-3 did not need it.
# - If only some processes use the part, pass a dummy input through it in the others,
#   and add ``0.0 * part(dummy).sum()``: the module itself gathers its parameters.
# - In place of a penalty, use the ``weight_decay`` of the optimizer.
#
# Below, an emptied parameter stands for ZeRO-3. The hook, as DeepSpeed has one, keeps
# the whole shape.
part = torch.nn.Linear(4, 1, bias=False)
hook = part.weight.expand_as(part.weight).grad_fn.next_functions[0][0]
whole, part.weight.data = part.weight.data, torch.empty(0)
try:
    # Wrong: reads the parameter outside its module.
    (0.0 * sum(p.sum() for p in part.parameters())).backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("an empty gradient was accepted")
print(message)
assert "Function SumBackward0 returned an invalid gradient at index 0" in message
assert "got [0] but expected shape compatible with [1, 4]" in message
# Right: through the module, for which the parameter is gathered.
part.weight.data = whole
(0.0 * part(torch.zeros(1, 4)).sum()).backward()
print(part.weight.grad)
assert part.weight.grad.tolist() == [[0, 0, 0, 0]]

# %%
# What is not checked
# -------------------
# A gradient in the shape that broadcasting gives is summed for you, one in another real
# dtype is converted, and the gradient of a frozen input is dropped, whatever its shape.
# A complex gradient of a real input is not converted: it raises another error.


class Add(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x, bias):
        return x + bias

    @staticmethod
    def backward(_ctx, gradient):
        return gradient[:1], gradient.double()


bias = torch.zeros(2, requires_grad=True)
Add.apply(torch.ones(3, 2), bias).sum().backward()
print(bias.grad)
assert bias.grad.tolist() == [3, 3]
assert bias.grad.dtype == torch.float32
Add.backward = lambda _ctx, gradient: (None, gradient * 1j)
try:
    Add.apply(torch.ones(3, 2), bias).sum().backward()
except RuntimeError as error:
    message = str(error)
else:
    raise AssertionError("a complex gradient was converted")
assert "input_is_complex == grad_is_complex" in message

# %%
# In 2019 the text named the expected shape first: ``expected shape [4] but got [1, 4]``
# (quoted from `neural-ode 2 <https://github.com/msurtsukov/neural-ode/issues/2>`__, not
# run). Extensions raise the error if you pass an argument in the wrong shape: those of
# `2d-gaussian-splatting 43
# <https://github.com/hbb1/2d-gaussian-splatting/issues/43>`__ take two scales for each
# point, not three (reported there, not run).
#
# Read on: :doc:`/gallery/modes/custom_functions_that_fail`.
