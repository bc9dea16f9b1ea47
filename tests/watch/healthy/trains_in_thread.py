"""Training runs in a thread while the main thread waits and prints what it sends."""

import hashlib
import queue
import threading

import torch
from torch import nn


class TrainingThread(threading.Thread):
    def __init__(self, model, steps):
        super().__init__(name="training", daemon=True)
        self.model, self.steps = model, steps
        self.messages = queue.Queue()

    def run(self):
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        for step in range(self.steps):
            x = torch.randn(16, 3)
            loss = (self.model(x).squeeze(1) - x.sum(1)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            self.messages.put((step, loss.item()))
        self.messages.put(None)


torch.manual_seed(141)
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
before = [p.detach().clone() for p in model.parameters()]
thread = TrainingThread(model, 6)
thread.start()
for step, loss in iter(thread.messages.get, None):
    print(step, repr(loss))
thread.join()

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
for p in model.parameters():
    digest.update(p.detach().numpy().tobytes())
print("digest", digest.hexdigest())
