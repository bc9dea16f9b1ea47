"""Train a GAN with two optimizers, by manual optimization."""

import hashlib

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning.seed_everything(0, verbose=False)


class GAN(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))
        self.critic = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        self.losses = []

    def training_step(self, batch, index):
        of_generator, of_critic = self.optimizers()
        (real,) = batch
        bce = nn.functional.binary_cross_entropy_with_logits
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)

        self.toggle_optimizer(of_generator)
        fake = self.generator(torch.randn(len(real), 2))
        generated = bce(self.critic(fake), ones)
        of_generator.zero_grad()
        self.manual_backward(generated)
        of_generator.step()
        self.untoggle_optimizer(of_generator)

        self.toggle_optimizer(of_critic)
        told = bce(self.critic(real), ones) + bce(self.critic(fake.detach()), zeros)
        of_critic.zero_grad()
        self.manual_backward(told)
        of_critic.step()
        self.untoggle_optimizer(of_critic)
        self.losses.append((generated.item(), told.item()))

    def configure_optimizers(self):
        return (
            torch.optim.Adam(self.generator.parameters(), lr=1e-2),
            torch.optim.Adam(self.critic.parameters(), lr=1e-2),
        )


model = GAN()
loader = DataLoader(TensorDataset(torch.randn(64, 4)), batch_size=16)
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

print("losses", model.losses)
weights = str([p.tolist() for p in model.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == before.keys()
