"""
``can't convert Sparse layout tensor to numpy``
===============================================

NumPy has no sparse arrays. Call ``to_dense()`` first, which writes out all zeros.
``numpy(force=True)`` raises the same error. An embedding without ``sparse=True`` has a
dense gradient.
"""

# %%
import torch

table = torch.nn.Embedding(3, 2, sparse=True)
table(torch.tensor([1, 1])).sum().backward()
gradient = table.weight.grad
try:
    # Wrong: the gradient is a sparse tensor.
    gradient.numpy()
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("a sparse tensor became an array")
# Right: a dense copy.
array = gradient.to_dense().numpy()
print(array)
assert array.tolist() == [[0, 0], [2, 2], [0, 0]]

# %%
# If the dense copy is too large
# ------------------------------
# The dense gradient of an embedding is as large as its table. Convert the indices and
# the values instead. ``coalesce()`` adds up the values that belong to the same row.
try:
    # Wrong: force=True does not change the layout.
    gradient.numpy(force=True)
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("a sparse tensor became an array")
assert "can't convert Sparse layout tensor to numpy" in message
# Right: two dense arrays.
rows = gradient.coalesce()
print(rows.indices().numpy(), rows.values().numpy())
assert rows.indices().tolist() == [[1]]
assert rows.values().tolist() == [[2, 2]]

# %%
# If the sparse tensor requires a gradient
# ----------------------------------------
# The layout is checked first. After ``to_dense()``, the next error is *Can't call
# numpy() on Tensor that requires grad*. Call ``detach()``, too.
sparse = torch.eye(2, requires_grad=True).to_sparse()
array = sparse.detach().to_dense().numpy()
print(array)
assert sparse.requires_grad
assert array.tolist() == [[1, 0], [0, 1]]

# %%
# Other layouts, such as ``SparseCsr`` and ``Mkldnn``, raise the error with their names,
# and have the same cure. Nested tensors raise other errors, and have no ``to_dense()``:
# call ``torch.nested.to_padded_tensor()`` first.
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    rows = torch.eye(2).to_sparse_csr()
try:
    rows.numpy()
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("a sparse tensor became an array")
assert "can't convert SparseCsr layout tensor to numpy" in message
print(rows.to_dense().numpy().tolist())
assert rows.to_dense().numpy().tolist() == [[1, 0], [0, 1]]
parts = [torch.ones(1), torch.ones(2)]
nested = torch.nested.nested_tensor(parts, layout=torch.jagged)
for call in (nested.numpy, nested.to_dense):
    try:
        call()
    except (RuntimeError, TypeError) as error:
        message = str(error)
    else:
        raise AssertionError("a nested tensor became a dense one")
    assert "layout tensor to numpy" not in message
padded = torch.nested.to_padded_tensor(nested, 0.0)
assert padded.numpy().tolist() == [[1, 0], [1, 1]]

# %%
# An early source of PyTorch 1, quoted and not run here, has: ``can't convert sparse
# tensor to numpy. Use Tensor.to_dense() to convert to a dense tensor first.``
# (`tensor_numpy.cpp
# <https://github.com/pytorch/pytorch/blob/0065fd3a6d3b1b00b7e83273c8777b9026c17e89/torch/csrc/utils/tensor_numpy.cpp>`__)
#
# Read on: :doc:`/gallery/detach/to_numpy`.
