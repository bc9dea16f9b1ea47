"""MoCo contrasts with a queue of old keys that a momentum encoder made."""

import hashlib

import torch
from torch import nn

torch.manual_seed(50)


class MoCo(nn.Module):
    def __init__(self, dim=6, K=32, m=0.99, T=0.2):
        super().__init__()
        self.K, self.m, self.T = K, m, T
        self.encoder_q = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, dim))
        self.encoder_k = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, dim))
        for q, k in zip(
            self.encoder_q.parameters(), self.encoder_k.parameters(), strict=True
        ):
            k.data.copy_(q.data)
            k.requires_grad = False
        self.register_buffer(
            "queue", nn.functional.normalize(torch.randn(dim, K), 2, 0)
        )
        self.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.long))

    @torch.no_grad()
    def _momentum_update_key_encoder(self):
        for q, k in zip(
            self.encoder_q.parameters(), self.encoder_k.parameters(), strict=True
        ):
            k.data = k.data * self.m + q.data * (1.0 - self.m)

    @torch.no_grad()
    def _dequeue_and_enqueue(self, keys):
        ptr = int(self.queue_ptr)
        self.queue[:, ptr : ptr + len(keys)] = keys.T
        self.queue_ptr[0] = (ptr + len(keys)) % self.K

    def forward(self, im_q, im_k):
        q = nn.functional.normalize(self.encoder_q(im_q), dim=1)
        with torch.no_grad():
            self._momentum_update_key_encoder()
            shuffle = torch.randperm(len(im_k))
            k = nn.functional.normalize(self.encoder_k(im_k[shuffle]), dim=1)
            k = k[torch.argsort(shuffle)]
        l_pos = torch.einsum("nc,nc->n", q, k).unsqueeze(-1)
        l_neg = torch.einsum("nc,ck->nk", q, self.queue.clone().detach())
        logits = torch.cat([l_pos, l_neg], dim=1) / self.T
        self._dequeue_and_enqueue(k)
        return logits, torch.zeros(len(logits), dtype=torch.long)


model = MoCo()
optimizer = torch.optim.SGD(model.parameters(), 0.03, momentum=0.9, weight_decay=1e-4)
before = {name: value.clone() for name, value in model.state_dict().items()}
for step in range(6):
    x = torch.randn(8, 8)
    logits, labels = model(x + 0.1 * torch.randn(8, 8), x + 0.1 * torch.randn(8, 8))
    loss = nn.functional.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, repr(loss.item()))

for name, value in model.state_dict().items():
    assert not torch.equal(value, before[name]), name
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in model.state_dict().values():
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
