"""A sanity check and a long evaluation come before training, and one between epochs."""

import hashlib
import io

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(93)
x = torch.randn(48, 6)
y = x[:, :3].argmax(1)
train_loader = DataLoader(TensorDataset(x[:32], y[:32]), batch_size=8, shuffle=True)
test_loader = DataLoader(TensorDataset(x[32:], y[32:]), batch_size=4)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
before = [p.detach().clone() for p in model.parameters()]
best_accuracy, best = -1.0, io.BytesIO()


def evaluate():
    was_training = model.training
    model.eval()
    correct, total_loss = 0, 0.0
    with torch.no_grad():
        for inputs, targets in test_loader:
            outputs = model(inputs)
            total_loss += nn.functional.cross_entropy(outputs, targets).item()
            correct += (outputs.argmax(dim=1) == targets).sum().item()
    model.train(was_training)
    return correct / 16, total_loss / 4


print("before", *map(repr, evaluate()))
for epoch in range(3):
    for step, (inputs, targets) in enumerate(train_loader):
        loss = nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, step, repr(loss.item()))
        if step == 1:
            print("between", *map(repr, evaluate()))
    accuracy, test_loss = evaluate()
    print("after", repr(accuracy), repr(test_loss))
    if accuracy > best_accuracy:
        best_accuracy, best = accuracy, io.BytesIO()
        torch.save(model.state_dict(), best)

assert not any(map(torch.equal, before, model.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
best.seek(0)
for value in [*model.state_dict().values(), *torch.load(best).values()]:
    digest.update(value.numpy().tobytes())
print("digest", digest.hexdigest())
