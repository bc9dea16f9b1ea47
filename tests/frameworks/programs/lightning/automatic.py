"""Train with accumulation, clipping and a schedule, after a check of validation."""

import hashlib

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
        self.losses = []

    def loss(self, batch):
        x, y = batch
        return nn.functional.cross_entropy(self.head(self.backbone(x)), y)

    def training_step(self, batch, index):
        loss = self.loss(batch)
        self.losses.append(loss.item())
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, index):
        self.log("validation", self.loss(batch))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


model = Classifier()
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
loader = DataLoader(data, batch_size=16)
trainer = lightning.Trainer(
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    max_epochs=2,
    accumulate_grad_batches=2,
    gradient_clip_val=1.0,
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.fit(model, loader, val_dataloaders=loader)

print("losses", model.losses)
weights = str([p.tolist() for p in model.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert len(model.losses) == 8
assert changed == before.keys()
