"""Forget the step of the second optimizer in manual optimization.

Expect: not in optimizer; model.critic.*; nobody applies;
"""

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

    def training_step(self, batch, index):
        of_generator, of_critic = self.optimizers()
        (real,) = batch
        bce = nn.functional.binary_cross_entropy_with_logits
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        fake = self.generator(torch.randn(len(real), 2))

        of_critic.zero_grad()
        told = bce(self.critic(real), ones) + bce(self.critic(fake.detach()), zeros)
        self.manual_backward(told)

        of_generator.zero_grad()
        self.manual_backward(bce(self.critic(fake), ones))
        of_generator.step()

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

changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == {name for name in before if name.startswith("generator.")}
assert all(p.grad.count_nonzero() for p in model.critic.parameters())
