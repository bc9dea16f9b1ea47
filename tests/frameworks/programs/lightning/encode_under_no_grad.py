"""Decorate the method that encodes with no_grad, and train with it.

Expect: cut; model.backbone.*; no_grad; blame
"""

# Reported in: https://github.com/huggingface/sentence-transformers/issues/255

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning.seed_everything(0, verbose=False)


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8))
        self.head = nn.Linear(8, 3)

    @torch.no_grad()
    def encode(self, x):
        return self.backbone(x)

    def training_step(self, batch, index):
        x, y = batch
        features = self.encode(x)  # blame
        return nn.functional.cross_entropy(self.head(features), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


model = Classifier()
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
loader = DataLoader(data, batch_size=16)
trainer = lightning.Trainer(
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    max_epochs=1,
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.fit(model, loader)

changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == {"head.weight", "head.bias"}
assert all(p.grad is None for p in model.backbone.parameters())
