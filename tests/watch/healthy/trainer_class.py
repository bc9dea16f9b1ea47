"""A trainer of its own calls the hooks of a task module, which only returns losses."""

import hashlib

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class TaskModule(nn.Module):
    def training_step(self, batch, batch_idx):
        raise NotImplementedError

    def validation_step(self, batch, batch_idx):
        raise NotImplementedError

    def configure_optimizers(self):
        raise NotImplementedError


class Regression(TaskModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 12), nn.Mish(), nn.Linear(12, 1))

    def forward(self, x):
        return self.net(x).squeeze(-1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.mse_loss(self(x), y)
        return {"loss": loss, "log": {"train_loss": loss.detach()}}

    def validation_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.l1_loss(self(x), y)

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)]


class Trainer:
    def __init__(self, max_epochs, sanity_steps=2, clip=1.0):
        self.max_epochs, self.sanity_steps, self.clip = max_epochs, sanity_steps, clip

    def fit(self, module, train_loader, val_loader):
        self.module = module
        self.optimizers, self.schedulers = module.configure_optimizers()
        self.validate(val_loader, self.sanity_steps)
        for epoch in range(self.max_epochs):
            for i, batch in enumerate(train_loader):
                for optimizer in self.optimizers:
                    loss = optimizer.step(lambda: self.closure(batch, i, optimizer))  # noqa: B023
                    print(epoch, i, repr(loss.item()))
            for scheduler in self.schedulers:
                scheduler.step()
            self.validate(val_loader)

    def closure(self, batch, i, optimizer):
        result = self.module.training_step(batch, i)
        optimizer.zero_grad()
        result["loss"].backward()
        nn.utils.clip_grad_value_(self.module.parameters(), self.clip)
        return result["log"]["train_loss"]

    @torch.inference_mode()
    def validate(self, loader, limit=None):
        self.module.eval()
        losses = [
            self.module.validation_step(batch, i)
            for i, batch in enumerate(loader)
            if limit is None or i < limit
        ]
        print("validation", repr(torch.stack(losses).mean().item()))
        self.module.train()


def main():
    torch.manual_seed(126)
    x = torch.randn(48, 5)
    data = TensorDataset(x, x.square().mean(1))
    loaders = DataLoader(data, 12, shuffle=True), DataLoader(data, 16)
    task = Regression()
    before = [p.detach().clone() for p in task.parameters()]
    Trainer(max_epochs=2).fit(task, *loaders)
    assert not any(map(torch.equal, before, task.parameters()))
    digest = hashlib.sha256(torch.get_rng_state().numpy())
    for p in task.parameters():
        digest.update(p.detach().numpy().tobytes())
    print("digest", digest.hexdigest())


if __name__ == "__main__":
    main()
