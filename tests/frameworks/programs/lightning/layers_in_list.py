"""Keep the heads in a Python list, which a LightningModule does not register.

Expect: unregistered; model.heads*; ;
"""

# Reported in: https://github.com/Lightning-AI/pytorch-lightning/issues/2623

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning.seed_everything(0, verbose=False)


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
        self.heads = [nn.Linear(8, 3) for _ in range(2)]

    def training_step(self, batch, index):
        x, y = batch
        features = self.backbone(x)
        return sum(
            nn.functional.cross_entropy(head(features), y) for head in self.heads
        )

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


model = Classifier()
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
loader = DataLoader(data, batch_size=16)
old = [head.weight.detach().clone() for head in model.heads]
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
assert changed == {"backbone.0.weight", "backbone.0.bias"}
for head, weight in zip(model.heads, old, strict=True):
    assert torch.equal(head.weight, weight)
    assert head.weight.grad.count_nonzero()
