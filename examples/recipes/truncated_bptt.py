"""
RNN "backward through the graph a second time": detach the state
================================================================

Truncated BPTT trains a long sequence in chunks and passes the hidden state on. If the
state keeps its history, the second ``backward()`` goes through the graph that the first
one has freed. Pass on ``state.detach()``.
"""

# %%
import torch

torch.manual_seed(0)
rnn = torch.nn.RNN(1, 4, batch_first=True)
chunks = torch.randn(1, 12, 1).split(4, dim=1)
state = None
for chunk in chunks:
    output, state = rnn(chunk, state)
    output.sum().backward()
    state = state.detach()
print("detached:", state.requires_grad)
# Wrong: the state keeps its history.
try:
    for chunk in chunks:
        output, state = rnn(chunk, state)
        output.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the second chunk ran")

# %%
# The whole training loop
# -----------------------
# The network learns to predict the next value of a wave. It reads the wave eight times,
# in ten chunks, and begins each time without a state.
torch.manual_seed(0)
wave = torch.sin(0.3 * torch.arange(201.0))[None, :, None]
network, head = torch.nn.RNN(1, 16, batch_first=True), torch.nn.Linear(16, 1)
parameters = [*network.parameters(), *head.parameters()]
optimizer = torch.optim.Adam(parameters, lr=0.01)
losses = []
for _ in range(8):
    state = None
    for first in range(0, 200, 20):
        chunk, following = wave[:, first : first + 20], wave[:, first + 1 : first + 21]
        output, state = network(chunk, state)
        state = state.detach()
        loss = torch.nn.functional.mse_loss(head(output), following)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    losses.append(loss.item())
print(f"{losses[0]:.3f} -> {losses[-1]:.3f}")
assert losses[-1] < 0.1 * losses[0]

# %%
# Does ``retain_graph=True`` help?
# --------------------------------
# No. A step overwrites the weights that the graph of the first chunk needs.
torch.manual_seed(0)
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.1)
state = None
try:
    for chunk in chunks:
        output, state = rnn(chunk, state)
        output.sum().backward(retain_graph=True)
        optimizer.step()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("step() did not write to the weights")

# %%
# Without a step in between there is no error. But every backward goes back to the
# beginning of the sequence, through a graph that grows. Here is the number of nodes
# behind each loss.


def nodes(tensor):
    seen, waiting = set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node and node not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]
    return len(seen)


def graph_sizes(hand_on):
    state, sizes = None, []
    for chunk in chunks:
        output, state = rnn(chunk, state)
        sizes.append(nodes(output.sum()))
        state = hand_on(state)
    return sizes


kept = graph_sizes(lambda state: state)
cut = graph_sizes(lambda state: state.detach())
print("kept:    ", kept)
print("detached:", cut)
assert kept[0] < kept[1] < kept[2]
assert cut == [cut[0]] * 3

# %% tags=["hide-input"]
# The graph behind the loss of each chunk. If the state is not detached (dashed), it
# grows; if it is detached, it does not.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(kept, "C2x--", ms=9, mew=3, label="state")
ax.plot(cut, "C0o-", label="state.detach()")
ax.set(xlabel="chunk", ylabel="nodes", xticks=range(3), ylim=0)
ax.legend()
plt.show()


# %%
# What does detaching lose?
# -------------------------
# With the same weights, the forward is the same: the state still carries what came
# before. The gradient is not: no chunk can teach an earlier one what to remember.
def gradient(pieces):
    rnn.zero_grad()
    state, outputs = None, []
    for piece in pieces:
        output, state = rnn(piece, state if state is None else state.detach())
        output.sum().backward()
        outputs.append(output.detach())
    return torch.cat(outputs, 1), rnn.weight_hh_l0.grad.clone()


truncated_output, truncated = gradient(chunks)
whole_output, whole = gradient([torch.cat(chunks, 1)])
torch.testing.assert_close(truncated_output, whole_output)
assert not torch.allclose(truncated, whole)

earlier = chunks[0].clone().requires_grad_()
_, state = rnn(earlier)
for handed_on, taught in ((state, True), (state.detach(), False)):
    loss = rnn(chunks[1], handed_on)[0].sum()
    (reached,) = torch.autograd.grad(loss, earlier, allow_unused=True)
    assert (reached is not None) == taught

# %%
# An LSTM has two states
# ----------------------
# Its state is a pair, and a tuple has no ``detach()``. Forget one of the two, and the
# graph of the earlier chunk is still behind the loss.
lstm = torch.nn.LSTM(1, 4, batch_first=True)
state = None
for chunk in chunks:
    output, state = lstm(chunk, state)
    output.sum().backward()
    state = tuple(part.detach() for part in state)
assert not any(part.requires_grad for part in state)

_, (h, c) = lstm(chunks[0])
cut = nodes(lstm(chunks[1], (h.detach(), c.detach()))[0].sum())
assert nodes(lstm(chunks[1], (h.detach(), c))[0].sum()) > cut
assert nodes(lstm(chunks[1], (h, c.detach()))[0].sum()) > cut

# %%
# ``self.hidden`` in the model, a learned first state, a smaller last batch
# -------------------------------------------------------------------------
# If the model keeps its state, detach it at the *beginning* of ``forward()``, and begin
# anew if the batch has another size. Call ``reset()`` before each new sequence and each
# epoch: without it the state of the last one goes on, without an error, and with
# ``shuffle=True`` it belongs to other samples. A learned first state is a parameter
# that ``forward()`` expands. Don't detach it: then it never learns.


class Stateful(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(1, 4, batch_first=True)
        self.first = torch.nn.Parameter(torch.zeros(1, 1, 4))
        self.reset()

    def reset(self):
        self.state = None

    def forward(self, x):
        if self.state is None or self.state.shape[1] != len(x):
            state = self.first.expand(-1, len(x), -1).contiguous()
        else:
            state = self.state.detach()
        output, self.state = self.gru(x, state)
        return output


model, sequences = Stateful(), torch.randn(5, 12, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for batch in sequences.split(2):  # the last one is smaller
    model.reset()
    for chunk in batch.split(4, dim=1):
        optimizer.zero_grad()
        model(chunk).square().mean().backward()
        optimizer.step()
names = list(model.state_dict())
print(model.first.any().item(), names)
assert model.first.any()
assert names == ["first", *(f"gru.{name}" for name in model.gru.state_dict())]

with torch.no_grad():
    carried = model(sequences[:1, :4])
    model.reset()
    fresh = model(sequences[:1, :4])
assert not carried.allclose(fresh)

# %%
# TGN, dynamic GNN: a memory of the nodes, and ``backward`` a second time
# -----------------------------------------------------------------------
# The memory is a state for each node, and needs the same line: ``memory.detach()``
# after ``step()`` (in PyTorch Geometric, ``memory.detach()``; in the code of TGN,
# ``memory.detach_memory()``; not run), and a reset before each epoch. But where is it
# updated? If the new memory is computed at the *end* of a batch and then detached, no
# loss ever reaches the network that updates it: ``gru.weight_ih.grad`` is None, without
# an error. Store the messages, and update at the *beginning* of the next batch, before
# the prediction.


def gradient_of_update(*, at_start):
    torch.manual_seed(0)
    update, predict = torch.nn.GRUCell(2, 4), torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD([*update.parameters(), *predict.parameters()], lr=0.1)
    memory, message = torch.zeros(5, 4), torch.zeros(5, 2)
    for _ in range(3):
        if at_start:
            memory = update(message, memory)
        optimizer.zero_grad()
        predict(memory).sub(1).square().mean().backward()
        optimizer.step()
        message = torch.randn(5, 2)
        if not at_start:
            memory = update(message, memory)
        memory = memory.detach()
    return update.weight_ih.grad


for at_start in (False, True):
    reached = gradient_of_update(at_start=at_start) is not None
    print(f"{at_start=!s:6} the update learns: {reached}")
    assert reached == at_start

# %%
# A decoder gets its own output as the next input: ``detach()`` it?
# -----------------------------------------------------------------
# A token from ``argmax`` or ``topk`` is an index and has no gradient: ``detach()``
# changes nothing. A predicted *value*, as in a forecast of a time series, has one.
# If you feed it back as it is, each step also learns what its error does to the
# later ones, through a longer graph. If you detach it, the input is a constant, as with
# teacher forcing, and the gradient is another one.
cell, head = torch.nn.GRUCell(1, 4), torch.nn.Linear(4, 1)


def gradient_of_forecast(*, detach):
    value, state, outputs = torch.ones(1, 1), torch.zeros(1, 4), []
    for _ in range(3):
        state = cell(value, state)
        value = head(state)
        outputs.append(value)
        value = value.detach() if detach else value
    return torch.autograd.grad(torch.cat(outputs).square().sum(), head.weight)[0]


fed_back, detached = (gradient_of_forecast(detach=way) for way in (False, True))
print(fed_back.allclose(detached))
assert not fed_back.allclose(detached)
assert not head(torch.zeros(1, 4)).argmax(1).requires_grad

# %%
# A loop to a fixed point (DEQ, implicit layer, a solver): backward through all steps?
# ------------------------------------------------------------------------------------
# You don't have to. If ``z`` solves ``z = f(z, x)``, its gradient depends on the
# solution and not on the way to it. Three ways:
#
# - Record all steps: right, and the memory grows with each of them.
# - Find ``z`` under ``no_grad()`` and record one more step: cheap, but it is not the
#   gradient. It keeps the first term of a series, and its direction can be good enough
#   (`Jacobian-free backpropagation <https://arxiv.org/abs/2103.12803>`__).
# - Find ``z`` under ``no_grad()``, record one step, and solve for the gradient in a
#   hook: right, with the memory of one step. This is the implicit function theorem, and
#   holds if both loops converge.
#
# With all steps under ``no_grad()`` and none recorded, the parameters of ``f`` get
# nothing.
slope = torch.tensor(0.5, requires_grad=True)


def step(z):
    return slope * z + 1  # at the fixed point: z = 1 / (1 - slope) = 2


def fixed_point(update, z):
    for _ in range(40):
        z = update(z)
    return z


def gradient_by(way):
    if way == "all steps":
        return torch.autograd.grad(fixed_point(step, torch.tensor(0.0)), slope)[0]
    with torch.no_grad():
        solution = fixed_point(step, torch.tensor(0.0))
    z = step(solution)
    if way == "hook":
        leaf = solution.clone().requires_grad_()
        again = step(leaf)

        def solve(gradient):
            def update(y):
                (passed,) = torch.autograd.grad(again, leaf, y, retain_graph=True)
                return gradient + passed

            return fixed_point(update, gradient)

        z.register_hook(solve)
    return torch.autograd.grad(z, slope)[0]


found = {way: gradient_by(way).item() for way in ("all steps", "one step", "hook")}
print({way: round(value, 3) for way, value in found.items()})
assert abs(found["all steps"] - 4) < 1e-4
assert abs(found["hook"] - 4) < 1e-4
assert abs(found["one step"] - 2) < 1e-4

# %%
# Where it ends
# -------------
# - ``retain_graph=True`` raises no error if the optimizer has ``fused=True``, because
#   autograd does not notice its writes. The gradient is wrong.
# - A frozen RNN passes on a state without a history, so a head after it trains without
#   ``detach()`` and without an error.
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.1, fused=True)
_, state = rnn(chunks[0])
loss = rnn(chunks[1], state)[0].sum()
(right,) = torch.autograd.grad(loss, rnn.weight_hh_l0, retain_graph=True)
loss.backward(retain_graph=True)
optimizer.step()
(wrong,) = torch.autograd.grad(loss, rnn.weight_hh_l0)
assert not torch.allclose(wrong, right)

rnn.requires_grad_(False)
head, state = torch.nn.Linear(4, 1), None
for chunk in chunks:
    output, state = rnn(chunk, state)
    head(output).sum().backward()
    assert not state.requires_grad

# %%
# Detach every part of the state after each chunk, and make the chunks as long as the
# dependencies to be learned. Source: `An efficient gradient-based algorithm for on-line
# training of recurrent network trajectories
# <https://doi.org/10.1162/neco.1990.2.4.490>`_.
#
# Related: :doc:`/gallery/graph/backward_twice`, :doc:`/gallery/detach/logging_a_loss`,
# :doc:`/gallery/graph/inplace_modified`.
