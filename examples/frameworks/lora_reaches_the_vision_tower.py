"""
LoRA in a frozen vision tower: target_modules matches the end of a name
=======================================================================

peft puts an adapter into every module whose name ends in ``q_proj``, that of a frozen
tower, too. Its base weights stay frozen, the adapter trains. Pass a regular expression
that matches whole names, or ``exclude_modules``.
"""

# %% tags=["hide-input"]
# A frozen tower and a language model, and a function that names the parts in which
# something trains.
from peft import LoraConfig, get_peft_model
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.v_proj = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.v_proj(self.q_proj(x))


def places(target_modules, **options):
    parts = {name: Block() for name in ("vision_tower", "language_model")}
    model = nn.ModuleDict(parts | {"projector": nn.Linear(4, 4)})
    model["vision_tower"].requires_grad_(False)
    config = LoraConfig(r=2, target_modules=target_modules, **options)
    peft_model = get_peft_model(model, config)
    trained = [n for n, p in peft_model.named_parameters() if p.requires_grad]
    return sorted({name.split(".")[2] for name in trained})


# %%
wrong = places(["q_proj", "v_proj"])
right = places(r"language_model\..*(q_proj|v_proj)")
also = places(["q_proj", "v_proj"], exclude_modules=r"vision_tower\..*")
print(wrong, right, also, sep="\n")
assert wrong == ["language_model", "vision_tower"]
assert right == also == ["language_model"]

# %%
# A string is a regular expression, a list is not
# -----------------------------------------------
# - A list: each entry is a whole name or its end after a dot.
# - A string: it has to match the whole name (``re.fullmatch``), so it ends in the
#   linear layers. ``"q_proj"`` alone matches nothing here, and ``language_model`` only
#   the block, which has no adapter for its class. Both raise an error.
# - ``"all-linear"``: all linear layers but the output layer, so those of the tower and
#   of the projector, too.
# - ``exclude_modules`` follows the same rules. A list with the name of the tower
#   excludes none of its layers.


def error_of(target_modules):
    try:
        places(target_modules)
    except ValueError as error:
        return str(error)
    raise AssertionError("the names were accepted")


texts = [error_of("q_proj"), error_of("language_model")]
everywhere = places("all-linear")
useless = places(["q_proj"], exclude_modules=["vision_tower"])
print([" ".join(text.split())[:30] for text in texts], everywhere, useless, sep="\n")
assert texts[0].startswith("Target modules q_proj not found in the base model")
assert "is not supported" in texts[1]
assert everywhere == ["language_model", "projector", "vision_tower"]
assert useless == ["language_model", "vision_tower"]
assert places(["language_model.q_proj"]) == ["language_model"]

# %%
# The model exists already
# ------------------------
# Freeze the adapters of the tower before you make the optimizer. By default they start
# with an effect of zero, so frozen they change nothing. They are still computed and
# saved.
#
# The other way round: LoRA in the language model, and the tower trained whole. Unfreeze
# the tower after ``get_peft_model()``, and save it yourself, or name it in
# ``modules_to_save`` (:doc:`modules_to_save`). Give it a parameter group of its own if
# it needs another learning rate.
import torch


def two_towers():
    return nn.ModuleDict({"vision_tower": Block(), "language_model": Block()})


model = two_towers()
x = torch.ones(2, 4)
before = model["vision_tower"](x)
model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
tower = model.base_model.model["vision_tower"]
tower.requires_grad_(False)
trained = [n for n, p in model.named_parameters() if p.requires_grad]
print(len(trained), torch.equal(tower(x), before))
assert not any("vision_tower" in name for name in trained)
assert torch.equal(tower(x), before)

config = LoraConfig(r=2, target_modules=r"language_model\.q_proj")
model = get_peft_model(two_towers(), config)
tower = model.base_model.model["vision_tower"].requires_grad_(True)
adapters = [p for n, p in model.named_parameters() if "lora_" in n]
groups = [{"params": adapters}, {"params": tower.parameters(), "lr": 1e-5}]
optimizer = torch.optim.AdamW(groups, lr=1e-4)
held = [len(group["params"]) for group in optimizer.param_groups]
trained = [p for p in model.parameters() if p.requires_grad]
print(held, len(trained))
assert held == [2, 4]
assert len(trained) == sum(held)

# %%
# ``exclude_modules`` exists since peft 0.14. Print the names of what is trainable
# before you train. Source: `peft about target_modules
# <https://huggingface.co/docs/peft/package_reference/lora>`__.
#
# Related: :doc:`modules_to_save`, :doc:`options_that_freeze`,
# :doc:`/gallery/recipes/lora_by_hand`.
