"""
Tied weights: freezing the embedding also freezes the output layer
==================================================================

Two layers that share a weight have one parameter, with one ``requires_grad``. To freeze
only one of them, untie the weights.
"""

# %%
import torch
from torch import nn

embedding = nn.Embedding(5, 3)
output = nn.Linear(3, 5, bias=False)
output.weight = embedding.weight  # tied

embedding.requires_grad_(False)
print("tied:  ", output.weight.requires_grad)
assert not output.weight.requires_grad

output.weight = nn.Parameter(embedding.weight.detach().clone())
print("untied:", output.weight.requires_grad)
assert output.weight.requires_grad
assert not embedding.weight.requires_grad

# %%
# How do I see that weights are tied?
# -----------------------------------
# ``named_parameters()`` lists the parameter once, under its first name, and
# ``state_dict()`` lists it twice. Of several calls of ``requires_grad_()`` the last one
# counts, on whichever layer.
from torch.nn import functional


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.output = nn.Linear(3, 5, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, ids):
        return self.output(self.embedding(ids))


torch.manual_seed(0)
model = Model()
names = [name for name, _ in model.named_parameters()]
print(names, list(model.state_dict()))
assert names == ["embedding.weight"]
assert list(model.state_dict()) == ["embedding.weight", "output.weight"]
model.embedding.requires_grad_(False)
model.output.requires_grad_(True)
assert model.embedding.weight.requires_grad

# %%
# ``Module lm_head is not found, please choose from embed_tokens, norm``
# ----------------------------------------------------------------------
# LLaMA-Factory says so for ``freeze_extra_modules`` if the weights are tied, as in
# Gemma: it looks among the names of ``named_parameters()``, which lists the shared
# weight once. Name ``embed_tokens`` alone, and the output layer trains with it
# (`read in a pull request <https://github.com/hiyouga/LlamaFactory/pull/5032>`__, not
# run).
#
# A loop of your own raises no error: one that unfreezes by the second name freezes
# everything.
for wanted in ("output", "embedding"):
    for name, p in model.named_parameters():
        p.requires_grad = wanted in name
    print(wanted, model.output.weight.requires_grad)
    assert model.output.weight.requires_grad == (wanted == "embedding")

# %%
# Train lm_head, and keep embed_tokens frozen: GPT-2, Gemma, Qwen, BERT
# ---------------------------------------------------------------------
# ``model.lm_head.requires_grad_(True)`` unfreezes the embedding, too, and freezing
# ``model.bert`` also freezes the decoder of ``BertForMaskedLM``. Load the model as it
# is, give the output layer a copy of the weight, and make the optimizer after that. Set
# ``model.config.tie_word_embeddings = False`` before you save: older versions of
# transformers tie the two again on loading otherwise; 5.23 keeps two weights that
# differ, and warns. Do not *load* the original with this option: its file has one
# weight, and ``lm_head`` would be random (tried with 5.23). The copy costs as much
# memory as the embedding.
gpt = Model().requires_grad_(False)
start = gpt.embedding.weight.detach().clone()
gpt.output.weight = nn.Parameter(gpt.output.weight.detach().clone())
trainable = [name for name, p in gpt.named_parameters() if p.requires_grad]
print(trainable)
optimizer = torch.optim.AdamW(p for p in gpt.parameters() if p.requires_grad)
gpt(torch.tensor([0, 1])).sum().backward()
optimizer.step()
kept = [layer.weight.equal(start) for layer in (gpt.embedding, gpt.output)]
print(kept)
assert trainable == ["output.weight"]
assert kept == [True, False]

# %%
# Can I ``detach()`` one use instead?
# -----------------------------------
# That is something else. Each use contributes a gradient, and the two add up. Detach
# one use, and only the other contributes. But the shared weight moves, in both layers.
weight = model.embedding.weight
ids = torch.tensor([0, 1])


def gradient(lookup, projection):
    weight.grad = None
    functional.linear(functional.embedding(ids, lookup), projection).sum().backward()
    return weight.grad


both = gradient(weight, weight)
as_output = gradient(weight.detach(), weight)
as_lookup = gradient(weight, weight.detach())
torch.testing.assert_close(as_output + as_lookup, both)
rows = {"both": both, "output only": as_output, "embedding only": as_lookup}
rows = {name: grad.abs().sum(1).gt(0).tolist() for name, grad in rows.items()}
for name, reached in rows.items():
    print(f"{name:16}{reached}")
assert rows["output only"] == [True] * 5
assert rows["embedding only"] == [True, True, False, False, False]
torch.optim.SGD([weight], lr=0.1).step()
assert model.output.weight.equal(model.embedding.weight)

# %% tags=["hide-input"]
# Which of the five rows get a gradient (open squares): from the embedding the two that
# were looked up, from the output layer all.
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
for name, reached in rows.items():
    for row, got in enumerate(reached):
        look = {"ec": "C0"} if got else {"ec": "C1", "hatch": "//////"}
        ax.scatter(row, name, s=250, marker="s", fc="none", lw=2, **look)
ax.set(xlabel="row", xticks=range(5))
ax.margins(0.15, 0.3)
ax.invert_yaxis()
plt.show()

# %%
# Autoencoder with tied weights: the decoder is the transposed encoder
# --------------------------------------------------------------------
# Compute the decoder from the weight of the encoder in the forward:
# ``functional.linear(code, encoder.weight.t(), bias)``. ``decoder.weight =
# encoder.weight.t()`` raises a ``TypeError``. ``nn.Parameter(encoder.weight.t())``
# raises nothing, and is no tie: the two share the memory, but each has a gradient and
# an optimizer state of its own. So each step writes to the memory twice, and freezing
# one does not freeze the other.
encoder, x = nn.Linear(4, 2), torch.randn(8, 4)
functional.linear(encoder(x), encoder.weight.t()).square().sum().backward()
whole = encoder.weight.grad.clone()
decoder = nn.Linear(2, 4, bias=False)
try:
    decoder.weight = encoder.weight.t()
except TypeError as error:
    message = str(error)
else:
    raise AssertionError("a result became a parameter")
assert message.startswith("cannot assign")
decoder.weight = nn.Parameter(encoder.weight.t())
encoder.zero_grad()
decoder(encoder(x)).square().sum().backward()
parts = encoder.weight.grad, decoder.weight.grad.t()
print("gradient of both uses in one:", parts[0].allclose(whole))
assert not parts[0].allclose(whole)
torch.testing.assert_close(parts[0] + parts[1], whole)
encoder.requires_grad_(False).zero_grad()
before = encoder.weight.clone()
torch.optim.SGD(decoder.parameters(), lr=0.1).step()
print("the frozen encoder stays:", encoder.weight.equal(before))
assert not encoder.weight.equal(before)

# %%
# One module called twice in ``forward()``: do the two branches share the weights?
# --------------------------------------------------------------------------------
# Yes. ``self.att`` is one module with one set of parameters, no matter how often
# ``forward()`` calls it. The ``.grad`` of a weight is the sum over all calls, the
# optimizer updates it once, and freezing it freezes both branches. In train mode, a
# batch norm in it updates the same running statistics from both inputs. For separate
# weights, make two modules: call the constructor twice, or ``copy.deepcopy()`` for the
# same initial values. ``[block] * 3`` is one block three times, in ``nn.ModuleList``,
# too; ``[make_block() for _ in range(3)]`` are three blocks.
#
# Look at the order, too: after ``fre = self.att(fre, spa) + fre``, the next line reads
# the new ``fre``. For the old one, compute both results before you assign them.
import copy


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, query, other):
        return self.layer(torch.cat([query, other], 1)).sigmoid() * other


class Branches(nn.Module):
    def __init__(self, att, other_att):
        super().__init__()
        self.att, self.other_att = att, other_att

    def forward(self, fre, spa):
        fre = self.att(fre, spa) + fre
        return fre, self.other_att(spa, fre) + spa


fre, spa = torch.randn(2, 8, 2)
att = Attention()
shared, separate = Branches(att, att), Branches(att, copy.deepcopy(att))
numbers, outputs = {}, {}
for name, module in {"shared": shared, "separate": separate}.items():
    numbers[name] = [p_name for p_name, _ in module.named_parameters()]
    module.zero_grad()
    outputs[name] = module(fre, spa)
    sum(output.square().sum() for output in outputs[name]).backward()
    if name == "shared":
        of_both = att.layer.weight.grad.clone()
    print(f"{name:9}{numbers[name]}")
assert list(map(len, numbers.values())) == [2, 4]
torch.testing.assert_close(outputs["shared"], outputs["separate"])
two_parts = att.layer.weight.grad + separate.other_att.layer.weight.grad
torch.testing.assert_close(of_both, two_parts)
assert len(list(nn.ModuleList([att] * 3).parameters())) == 2
with_old_fre = att(spa, fre) + spa
assert not with_old_fre.allclose(outputs["shared"][1])
shared.other_att.requires_grad_(False)
assert not any(p.requires_grad for p in shared.att.parameters())

# %%
# Siamese network: only one branch trains the weights
# ---------------------------------------------------
# ``net(one)`` and ``net(two)`` share all weights. These should learn from the first
# branch only, but both inputs need their gradient. ``net(two).detach()`` also cuts the
# gradient to ``two``. Detach the weights for this one call: ``functional_call`` runs
# the network with the tensors that you pass. Or freeze the network during the call and
# unfreeze it before ``backward()``, because autograd reads ``requires_grad`` when the
# operation runs (:doc:`/gallery/graph/the_flag_is_read_twice`). If a part of the
# network is frozen anyway, the first way leaves it so.
from torch.func import functional_call

net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
one, two = (torch.randn(3, 2, requires_grad=True) for _ in range(2))


def second_branch(way):
    if way == "weights detached":
        weights = {name: p.detach() for name, p in net.named_parameters()}
        return functional_call(net, weights, (two,))
    net.requires_grad_(way != "frozen meanwhile")
    out = net(two)
    net.requires_grad_(True)
    return out.detach() if way == "output detached" else out


net(one).sum().backward()
first_alone = net[0].weight.grad.clone()
outcomes = {}  # [weights from one only, two.grad]
for way in ("as it is", "output detached", "weights detached", "frozen meanwhile"):
    net.zero_grad()
    two.grad = None
    (net(one) + second_branch(way)).sum().backward()
    from_one = torch.allclose(net[0].weight.grad, first_alone)
    outcomes[way] = [from_one, two.grad is not None]
    print(f"{way:17}{outcomes[way]}")
assert outcomes["as it is"] == [False, True]
assert outcomes["output detached"] == [True, False]
assert outcomes["weights detached"] == outcomes["frozen meanwhile"] == [True, True]

# %%
# Two models share a weight: does training one change the other?
# --------------------------------------------------------------
# Yes, if both hold the same ``nn.Parameter``: compare with ``is``. Then ``.grad`` and
# ``requires_grad`` are shared, too. If only the memory is shared (the same
# ``data_ptr()``), the values change together, until ``to()`` or a new ``.data`` moves
# one of them; ``.grad`` and ``requires_grad`` are separate. ``load_state_dict()`` and
# ``deepcopy`` copy: the models are independent, and a penalty on the weights of one
# does not reach the other.
#
# Give a shared parameter to the optimizer once.
WAYS = (
    "second.weight = first.weight",
    "nn.Parameter(first.weight)",
    "load_state_dict(assign=True)",
    "load_state_dict()",
    "deepcopy",
)


def two_models(way):
    first, second = (nn.Linear(2, 2, bias=False) for _ in range(2))
    if way == "second.weight = first.weight":
        second.weight = first.weight
    elif way == "nn.Parameter(first.weight)":
        second.weight = nn.Parameter(first.weight)
    elif way == "deepcopy":
        second = copy.deepcopy(first)
    else:
        second.load_state_dict(first.state_dict(), assign="assign" in way)
    return first, second


print(f"{'':30}is     memory  values  grad   after to()")
for name in WAYS:
    first, second = two_models(name)
    row = [second.weight is first.weight]
    row.append(second.weight.data_ptr() == first.weight.data_ptr())
    first(torch.ones(1, 2)).sum().backward()
    torch.optim.SGD(first.parameters(), lr=0.1).step()
    row += [second.weight.equal(first.weight), second.weight.grad is not None]
    first.to(torch.float64)
    row.append(second.weight.data_ptr() == first.weight.data_ptr())
    print(f"{name:30}{row[0]!s:7}{row[1]!s:8}{row[2]!s:8}{row[3]!s:7}{row[4]}")
    assert row[0] == row[3] == row[4] == (name == "second.weight = first.weight")
    assert row[1] == row[2] == (name not in {"load_state_dict()", "deepcopy"})

# %% tags=["hide-input"]
# Where it ends
# -------------
# - ``copy.deepcopy`` of the whole model keeps the tie. A copy of one layer alone has a
#   weight of its own.
# - ``load_state_dict(..., assign=True)`` makes two parameters, and if the tensors come
#   from a tied model, both still use the same memory. Each has its own
#   ``requires_grad``, but training one also changes the frozen other. Tie them again
#   after loading.
# - A model that went through ``to("meta")`` and ``to_empty()`` has two separate
#   weights.
tied = copy.deepcopy(model)
assert tied.output.weight is tied.embedding.weight
assert copy.deepcopy(model.output).weight.data_ptr() != weight.data_ptr()

loaded = Model()
loaded.load_state_dict(model.state_dict(), assign=True)
frozen = loaded.embedding.weight.requires_grad_(False)
assert loaded.output.weight.requires_grad
before = frozen.clone()
loaded(ids).sum().backward()
torch.optim.SGD(loaded.parameters(), lr=0.1).step()
print("assign=True, frozen embedding stays:", frozen.equal(before))
assert frozen.grad is None
assert not frozen.equal(before)

empty = Model().to("meta").to_empty(device="cpu")
assert empty.output.weight.data_ptr() != empty.embedding.weight.data_ptr()

# %%
# Decide what should train: the shared tensor or one of two separate tensors. Source:
# ``named_parameters`` and its ``remove_duplicate`` in :torch:`torch.nn.Module`.
#
# Related: :doc:`nn_parameter_unfreezes`, :doc:`freeze_by_name`,
# :doc:`/gallery/three-ways/detach_cuts_one_tensor`.
