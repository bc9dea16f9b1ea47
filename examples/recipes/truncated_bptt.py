"""
Truncated BPTT: detach the hidden state between two chunks
==========================================================

A long sequence is trained in chunks that hand on their hidden state. Hand it on with
its history, and the second ``backward()`` fails, or each step is slower than the one
before.
"""

# %%
# Trying to backward through the graph a second time
# --------------------------------------------------
# The state of the first chunk leads back into its graph, which its own ``backward()``
# has freed.
import torch

torch.manual_seed(0)
rnn = torch.nn.RNN(1, 4, batch_first=True)
chunks = torch.randn(1, 12, 1).split(4, dim=1)
state = None
try:
    for chunk in chunks:
        output, state = rnn(chunk, state)
        output.sum().backward()
except RuntimeError as error:
    print(f"{type(error).__name__}: {error}")
else:
    raise AssertionError("the second chunk ran")

# %%
# Does ``retain_graph=True`` help?
# --------------------------------
# Only where no optimizer steps in between. A step overwrites the weights that the graph
# of the first chunk needs.
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
# The graph behind the loss of each chunk. With the state handed on whole (dashed) it
# grows, with the state detached it does not.
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
# The forward is the same: the state still carries what came before. The gradient is
# not: no chunk can teach an earlier one what to remember.
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
# Detach every part of the state after each chunk, and make the chunks as long as the
# dependencies to be learned. Source: `An efficient gradient-based algorithm for on-line
# training of recurrent network trajectories
# <https://doi.org/10.1162/neco.1990.2.4.490>`_.
#
# Related: :doc:`/gallery/graph/backward_twice`, :doc:`/gallery/detach/logging_a_loss`,
# :doc:`/gallery/graph/inplace_modified`.
