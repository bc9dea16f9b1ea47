"""Replace the head in on_fit_start, which runs after configure_optimizers.

Expect: not in optimizer; model.head.*; nobody applies;
Expect: orphan; *; held by the optimizer, not by the model;
"""

# Reported in: https://github.com/Lightning-AI/pytorch-lightning/issues/16170

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning.seed_everything(0, verbose=False)


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8))
        self.head = nn.Linear(8, 10)

    def training_step(self, batch, index):
        x, y = batch
        return nn.functional.cross_entropy(self.head(self.backbone(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class NewHead(lightning.Callback):
    def on_fit_start(self, trainer, pl_module):
        pl_module.head = nn.Linear(8, 3)
        self.before = pl_module.head.weight.detach().clone()


model = Classifier()
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
loader = DataLoader(data, batch_size=16)
new_head = NewHead()
trainer = lightning.Trainer(
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    max_epochs=1,
    callbacks=[new_head],
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.fit(model, loader)

assert torch.equal(model.head.weight, new_head.before)
assert model.head.weight.grad.count_nonzero()
held = [p for group in trainer.optimizers[0].param_groups for p in group["params"]]
assert not any(p is model.head.weight for p in held)
assert sum(p.shape[0] == 10 for p in held) == 2
for name, parameter in model.backbone.named_parameters():
    assert not torch.equal(parameter, before[f"backbone.{name}"]), name
