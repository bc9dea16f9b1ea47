"""
``Weights only load failed``
============================

Since PyTorch 2.6, ``torch.load()`` reads only tensors and simple types, and the file
has something else in it. If you made the file, or trust who made it, pass
``weights_only=False``. Otherwise allow the one class that the message names.
"""

# %%
import argparse
import io
import pickle

import torch
from torch import nn


def file_with(content):
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return file


model = nn.Linear(2, 1)
checkpoint = {"model": model.state_dict(), "args": argparse.Namespace(lr=0.1)}
try:
    # Wrong, for this file: args is an object.
    torch.load(file_with(checkpoint))
except pickle.UnpicklingError as error:
    message = str(error)
print(f"UnpicklingError: {message.split('. ', maxsplit=1)[0]}")
# Right, if you trust the file.
print(torch.load(file_with(checkpoint), weights_only=False)["args"])
# Right, too: this class alone is allowed.
with torch.serialization.safe_globals([argparse.Namespace]):
    assert torch.load(file_with(checkpoint))["args"].lr == 0.1

# %%
# ``WeightsUnpickler error: Unsupported global``: which object is it?
# -------------------------------------------------------------------
# The end of the message names it. A file from a stranger can run any code when it is
# loaded with ``weights_only=False``; the default prevents this. These are the usual
# objects, and what to save instead:
#
# - ``argparse.Namespace``, a configuration: ``vars(args)``, a dictionary.
# - ``numpy.core.multiarray.scalar`` (``numpy._core`` since NumPy 2): an accuracy or a
#   loss of NumPy. Save ``float(value)``.
# - ``numpy.core.multiarray._reconstruct``: an array. Save ``torch.from_numpy(array)``.
# - Your class, ``__main__.Net``, or ``ultralytics.nn.tasks.DetectionModel``: the whole
#   model was saved. Save ``model.state_dict()``.
# - ``pathlib.PosixPath``: ``str(path)``.
import numpy as np

assert message.startswith("Weights only load failed")
assert "argparse.Namespace" in message
names = {}
for name, content in {
    "metric": np.float64(0.5),
    "array": np.ones(2),
    "model": model,
    "args": checkpoint["args"],
}.items():
    try:
        torch.load(file_with({name: content}))
    except pickle.UnpicklingError as error:
        names[name] = str(error).split("GLOBAL ")[1].split(" was not")[0]
    else:
        raise AssertionError(f"{name} was loaded")
print(names["model"], names["args"])
assert names["metric"].endswith("multiarray.scalar")
assert names["array"].endswith("multiarray._reconstruct")
plain = {"metric": float(np.float64(0.5)), "array": torch.from_numpy(np.ones(2))}
plain |= {"args": vars(checkpoint["args"]), "model": model.state_dict()}
loaded = torch.load(file_with(plain))
print(loaded["args"])
assert loaded["args"] == {"lr": 0.1}

# %%
# A library calls ``torch.load()``: ``resume_from_checkpoint``, Lightning, YOLO
# -----------------------------------------------------------------------------
# You can't pass the argument there. A newer version of the library mostly does. The
# ``Trainer`` of transformers reads ``rng_state.pth``, which has an array of NumPy in
# it; without this file the training goes on, with other random numbers. Lightning has
# ``load_from_checkpoint(path, weights_only=False)`` in new versions, and
# ``save_hyperparameters()`` is what put your objects into the file (these were read,
# not run). For a file that you made yourself, the environment variable
# ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1`` changes the default of the whole process.
import os
import warnings

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(torch.load(file_with(checkpoint))["args"].lr)
finally:
    del os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"]

# %%
# The whole model, or a ``state_dict()``: which one keeps what is frozen?
# -----------------------------------------------------------------------
# A file with the whole model needs ``weights_only=False`` and the source of the class,
# and it keeps ``requires_grad``. A ``state_dict()`` needs neither and forgets it:
# freeze again after loading (:doc:`/gallery/beyond/saving_and_copying`).
model.weight.requires_grad_(False)
whole = torch.load(file_with(model), weights_only=False)
fresh = nn.Linear(2, 1)
fresh.load_state_dict(torch.load(file_with(model.state_dict())))
print(whole.weight.requires_grad, fresh.weight.requires_grad)
assert not whole.weight.requires_grad
assert fresh.weight.requires_grad

# %%
# ``Attempting to deserialize object on a CUDA device``: cuda.is_available() is False
# -----------------------------------------------------------------------------------
# The tensors were saved on a GPU, and this process has none (quoted, not run). Pass
# ``map_location="cpu"``, then move the model. With several processes, pass it as well:
# without it, each one loads its copy onto the first GPU. If a GPU is there and the text
# comes all the same, the installed PyTorch may be one for the CPU:
# ``torch.version.cuda`` is then None.
on_meta = torch.load(file_with(model.state_dict()), map_location="meta")
print(on_meta["weight"].device)
assert on_meta["weight"].device.type == "meta"

# %%
# Read on: :doc:`error_s_in_loading_state_dict`.
