"""
``does not support activation checkpointing``
=============================================

In older versions of transformers: ``does not support gradient checkpointing``. The
class of the model is not written for it. Take a newer class, do without, or wrap the
layers with ``torch.utils.checkpoint`` yourself.
"""

# %% tags=["hide-input"]
# A small model whose class does not declare ``supports_gradient_checkpointing``.
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer


class Config(PreTrainedConfig):
    model_type = "small"


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.calls = nn.Linear(2, 2), 0

    def forward(self, x):
        self.calls += 1
        return self.linear(x).tanh()


class Model(PreTrainedModel):
    config_class = Config

    def __init__(self, block=Block):
        super().__init__(Config())
        self.embed_tokens = nn.Embedding(3, 2)
        self.layers = nn.ModuleList([block(), block()])
        self.post_init()

    def forward(self, tokens):
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x)
        return x


def calls(model):
    model.train()(torch.arange(3)).sum().backward()
    return [layer.calls for layer in model.layers]


def recomputed(forward):
    return lambda *args: checkpoint(forward, *args, use_reentrant=False)


# %%
model = Model()
try:
    # Wrong: the class does not support it. The Trainer makes the same call.
    model.activation_checkpointing_enable()
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("a class without support was accepted")
# Right: each layer computes its activations again in backward().
for layer in model.layers:
    layer.forward = recomputed(layer.forward)
print(calls(model))
assert calls(Model()) == [1, 1]
assert all(layer.calls == 2 for layer in model.layers)

# %%
# The layers are called twice, once in the forward pass and once in ``backward()``. Wrap
# them after the model is built and loaded. Under ``no_grad()`` they are called once. If
# the layers get a cache of keys and values, switch it off: ``use_cache=False``.
with torch.no_grad():
    model(torch.arange(3))
assert all(layer.calls == 3 for layer in model.layers)

# %%
# Which class does the message name?
# ----------------------------------
# The class of your model: ``ChatGLMForConditionalGeneration does not support gradient
# checkpointing.`` With ``trust_remote_code=True`` it comes from a file beside the
# weights, ``modeling_….py``, and that file may be too old or have lost its support, as
# `in ChatGLM3 <https://github.com/zai-org/ChatGLM3/issues/1057>`__. If transformers has
# the model itself, load it without ``trust_remote_code``, or load another revision of
# the file (read, not run). Without checkpointing (``gradient_checkpointing=False``) the
# model trains, too, with more memory: :doc:`/gallery/cost/memory_that_freezing_saves`.
#
# Support it in your own class
# ----------------------------
# Setting ``supports_gradient_checkpointing = True`` is not enough: the next message is
# ``is not compatible with gradient checkpointing``. The layers must be of the class
# ``GradientCheckpointingLayer``, too.


class Declared(Model):
    supports_gradient_checkpointing = True


class CheckpointedBlock(GradientCheckpointingLayer, Block):
    pass


try:
    Declared().activation_checkpointing_enable()
except ValueError as error:
    message = str(error)
else:
    raise AssertionError("no layer supports it")
assert "is not compatible with gradient checkpointing" in message
supported = Declared(CheckpointedBlock)
supported.activation_checkpointing_enable()
print(calls(supported))
assert [layer.calls for layer in supported.layers] == [2, 2]

# %%
# If a frozen embedding stands in front of the layers, keep ``use_reentrant=False``:
# :doc:`/gallery/frameworks/checkpointing_with_adapters`.
#
# Read on: :doc:`/gallery/beyond/checkpointing_frozen_layers`.
