"""
torch.compile compiles again when you freeze; jit.trace drops no_grad()
=======================================================================

A compiled model checks the flags in each call and follows them. A trace is a list of
operations, and ``with torch.no_grad()`` is none: it is lost, and gradients flow where
they were cut.
"""

# %%
# Does a compiled model see that I froze a layer?
# -----------------------------------------------
# Yes. Each new pattern of flags costs a compilation, one that it has seen before costs
# none (:since:`2.12`; before, a graph was used again when only flags of parameters had
# changed). The backend here only counts the graphs that it is given, so no C++ compiler
# is needed.
import torch

graphs = []


def count(graph, inputs):
    graphs.append(graph)
    return graph


torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
compiled = torch.compile(model, backend=count)
x = torch.ones(2, 4)
compiled(x).sum().backward()
compiled(x).sum().backward()
counts = [len(graphs)]

model.zero_grad()
model[0].requires_grad_(False)
compiled(x).sum().backward()
counts.append(len(graphs))
print(model[0].weight.grad, model[1].weight.grad is not None)
assert model[0].weight.grad is None
assert model[1].weight.grad is not None

model[0].requires_grad_(True)
compiled(x).sum().backward()
counts.append(len(graphs))
with torch.no_grad():
    compiled(x)
counts.append(len(graphs))
print(counts)
assert counts == [1, 2, 2, 3], "before PyTorch 2.12, freezing compiles nothing"

# %%
# If you unfreeze layer by layer, you may meet a limit: after eight patterns, new ones
# run uncompiled, and only the log says so. With ``fullgraph=True`` they raise
# ``FailOnRecompileLimitHit``. Set the limit to the number of your stages.
assert torch._dynamo.config.recompile_limit == 8


# %%
# What happens to a no_grad() inside?
# -----------------------------------
# The model adds ``3x``, which is recorded, and ``2x``, which is not. Its gradient is 3.
# If the ``with`` is lost on the way, it is 5.
class Model(torch.nn.Module):
    def forward(self, x):
        with torch.no_grad():
            constant = x * 2
        return x * 3 + constant


def gradient(function):
    x = torch.ones(2, requires_grad=True)
    function(x).sum().backward()
    return x.grad[0].item()


example = (torch.ones(2),)
ways = {
    "eager": Model(),
    "torch.compile": torch.compile(Model(), backend="eager"),
    "torch.export": torch.export.export(Model(), example).module(),
    "torch.fx": torch.fx.symbolic_trace(Model()),
    "torch.jit.trace": torch.jit.trace(Model(), example),
}
found = {way: gradient(function) for way, function in ways.items()}
for way, value in found.items():
    print(f"{way:17}{value}")
assert found == {
    "eager": 3,
    "torch.compile": 3,
    "torch.export": 3,
    "torch.fx": 5,
    "torch.jit.trace": 5,
}


# %%
# ``detach()`` is an operation, so it stays in the trace.
def with_detach(x):
    return x * 3 + (x * 2).detach()


assert gradient(torch.jit.trace(with_detach, example)) == 3
assert gradient(torch.fx.symbolic_trace(with_detach)) == 3

# %% tags=["hide-input"]
# The gradient that each way gives, where 3 (line) is right.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5.5, 2.8), layout="constrained")
for way, value in found.items():
    look = {"ec": "C0"} if value == 3 else {"ec": "C2", "ls": "--"}
    ax.barh(way, value, fc="none", lw=2, **look)
    if value != 3:
        ax.plot(value + 0.25, way, "C2x", ms=10, mew=3)
ax.axvline(3, color="C3")
ax.set(xlabel="gradient", xlim=(0, 6))
ax.invert_yaxis()
plt.show()

# %%
# Freeze before the first call of a compiled model, and you compile once. In code that
# is traced, cut with ``detach()``. Sources: :torch:`torch.compile`,
# :torch:`torch.export <user_guide/torch_compiler/export.html>`.
#
# Related: :doc:`func_and_functional_call`, :doc:`quantised_and_scripted`,
# :doc:`/gallery/three-ways/detach_is_not_no_grad`.
