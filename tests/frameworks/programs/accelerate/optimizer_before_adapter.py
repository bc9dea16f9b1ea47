"""Build the optimizer before the adapter; then the model has nothing that it holds.

Expect: nothing trains; *; ;
Expect: not in optimizer; model.*.lora_?.default.weight; nobody applies;
"""

# Reported in: https://github.com/adapter-hub/adapters/issues/260

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

set_seed(0)
accelerator = Accelerator(cpu=True)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
model = get_peft_model(
    model,
    LoraConfig(r=2, target_modules=["0", "2"], init_lora_weights=False),
)
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
model, optimizer, loader = accelerator.prepare(
    model, optimizer, DataLoader(data, batch_size=16)
)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
for x, y in loader:
    loss = nn.functional.cross_entropy(model(x), y)
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()

for name, parameter in model.named_parameters():
    assert torch.equal(parameter, before[name]), name
    assert (parameter.grad is not None) == ("lora_" in name)
