"""A second thread evaluates a frozen network while the main thread trains another."""

import hashlib
import threading

import torch
from torch import nn

torch.manual_seed(142)
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
service = nn.Linear(3, 2).requires_grad_(False)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
before = [p.detach().clone() for p in model.parameters()]
fixed = service.weight.clone()
x = torch.randn(32, 3)
stop = threading.Event()
answers = []


def serve():
    while not stop.is_set():
        with torch.no_grad():
            answers.append(service(x).detach().sum().item())
        stop.wait(0.001)


server = threading.Thread(target=serve)
server.start()
try:
    for step in range(8):
        loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, repr(loss.item()))
finally:
    stop.set()
    server.join()

assert len(set(answers)) == 1
assert torch.equal(fixed, service.weight)
assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
