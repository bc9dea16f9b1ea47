"""
``Cowardly refusing to serialize non-leaf tensor which requires_grad``
======================================================================

A result with a graph is sent to another process, by a pipe, by a queue or by a worker
of a ``DataLoader``. A graph can't be sent. Call ``detach()`` before you send the
tensor.
"""

# %%
import torch
from torch import multiprocessing

receiver, sender = multiprocessing.Pipe()
result = torch.ones(2, requires_grad=True) * 2

# Wrong: sends a result with its graph
try:
    sender.send(result)
except RuntimeError as error:
    print(f"RuntimeError: {error}")
else:
    raise AssertionError("a graph was sent")

# Right: sends the values
sender.send(result.detach())
received = receiver.recv()
print(received)
assert received.tolist() == [2, 2]

# %%
# Queues and workers
# ------------------
# A queue raises the error in a thread of the sender. Its traceback is printed there,
# and the receiver waits. The same happens in a ``DataLoader`` with workers and
# ``batch_size=None``; pass ``timeout``, so that it doesn't wait for ever. If a worker
# makes a batch of several results, ``torch.stack()`` raises another error there.
queue = multiprocessing.Queue()
errors = []
queue._on_queue_feeder_error = lambda error, _: errors.append(str(error))

# Wrong: put() raises nothing
queue.put(result)

# Right: the values
queue.put(result.detach())
print(queue.get())
assert len(errors) == 1
assert errors[0].startswith("Cowardly refusing to serialize non-leaf tensor")
queue.close()
queue.join_thread()

# %%
# A leaf can be sent, and still requires a gradient where it is received. ``pickle``
# and ``torch.save()`` take a result and drop its graph: what is loaded is a leaf that
# requires a gradient.
import pickle

sender.send(torch.ones(2, requires_grad=True))
received = receiver.recv()
assert received.is_leaf
assert received.requires_grad
loaded = pickle.loads(pickle.dumps(result))
assert loaded.is_leaf
assert loaded.requires_grad

# %%
# A trainer starts processes (``--devices 4``, ``ddp_spawn``): the model holds a result
# --------------------------------------------------------------------------------------
# On several devices, also CPUs, such a trainer sends the model to processes that it
# starts with ``spawn``. The model then must not hold a tensor with a graph. With
# ``nn.utils.weight_norm``, as in a vocoder or VITS (`piper 472
# <https://github.com/rhasspy/piper/issues/472>`__), ``layer.weight`` is a result; with
# ``spectral_norm`` it is one after the first forward pass; in a module of your own it
# may be an output that was kept in ``self``. What helps, the simplest first:
#
# - one device, ``--devices 1``;
# - ``torchrun``, or ``strategy="ddp"`` of Lightning: each process runs the script and
#   builds the model, and nothing is sent (not run here);
# - a forward pass of all parts under ``no_grad()`` before ``fit()``: the weight is
#   computed anew, without a graph, and in training again with one;
# - ``detach()`` what you keep in ``self``.
#
# The newer ``nn.utils.parametrizations.weight_norm`` keeps no result, but can't be
# pickled either: ``Serialization of parametrized modules is only supported through
# state_dict()``. There, too, the processes have to build the model.
import io
import warnings
from multiprocessing.reduction import ForkingPickler


def can_be_sent(module):
    try:
        ForkingPickler(io.BytesIO()).dump(module)
    except RuntimeError as error:
        return str(error).split(" which")[0]
    return True


with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    normed = torch.nn.utils.weight_norm(torch.nn.Linear(2, 2))
# Wrong: the weight that weight_norm computed has a graph.
print(can_be_sent(normed))
assert can_be_sent(normed).startswith("Cowardly refusing to serialize non-leaf tensor")
# Right: the weight is computed without one.
with torch.no_grad():
    normed(torch.ones(1, 2))
print(can_be_sent(normed))
assert can_be_sent(normed) is True
normed(torch.ones(1, 2)).sum().backward()
assert normed.weight_g.grad.any()
newer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2))
assert can_be_sent(newer).startswith("Serialization of parametrized modules")


# %%
# ``Can't pickle local object``: a hook or a ``lambda`` in the model
# ------------------------------------------------------------------
# ``torch.save(model)`` and processes that are started with ``spawn`` pickle what the
# model holds. Hooks of a module belong to it, and a function that was defined inside
# another one, a ``lambda`` or a generator can't be pickled. (``copy.deepcopy()`` takes
# functions, but no generator.) Save ``model.state_dict()``. Or remove the hook before
# with ``handle.remove()``, or define the function at the top of the file. Hooks of a
# tensor are left out, with a warning.
def hooked():
    layer = torch.nn.Linear(2, 1)

    def hook(_layer, _inputs, output):
        return output

    return layer, layer.register_forward_hook(hook)


layer, handle = hooked()
try:
    # Wrong: the hook goes with the layer.
    pickle.dumps(layer)
except (AttributeError, pickle.PicklingError) as error:
    message = str(error)
else:
    raise AssertionError("a local function was pickled")
print(message)
assert message.startswith("Can't pickle local object")
# Right: the values, or the layer without its hook.
pickle.dumps(layer.state_dict())
handle.remove()
pickle.dumps(layer)
weight = torch.ones(2, requires_grad=True)
weight.register_hook(lambda gradient: 2 * gradient)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    loaded = pickle.loads(pickle.dumps(weight))
assert "will not be serialized" in str(caught[0].message)
(weight + loaded).sum().backward()
print(weight.grad, loaded.grad)
assert (weight.grad / loaded.grad).tolist() == [2, 2]

# %%
# Read on: :doc:`/gallery/beyond/saving_and_copying`.
