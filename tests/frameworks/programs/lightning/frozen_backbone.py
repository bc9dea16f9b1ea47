"""Freeze a backbone with batch norm, in eval mode; fit() leaves the mode as it is."""

import hashlib

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning.seed_everything(0, verbose=False)


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.backbone.requires_grad_(False).eval()
        self.head = nn.Linear(8, 3)
        self.losses = []

    def training_step(self, batch, index):
        x, y = batch
        loss = nn.functional.cross_entropy(self.head(self.backbone(x)), y)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        trainable = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(trainable, lr=1e-2)


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
before = {name: t.clone() for name, t in model.state_dict().items()}
trainer.fit(model, loader)

print("losses", model.losses)
weights = str([p.tolist() for p in model.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
changed = {
    name
    for name, tensor in model.state_dict().items()
    if not torch.equal(tensor, before[name])
}
assert changed == {"head.weight", "head.bias"}
