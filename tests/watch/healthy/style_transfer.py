"""L-BFGS changes an image whose features a frozen network compares."""

import hashlib

import torch
from torch import nn

torch.manual_seed(151)
cnn = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1),
    nn.ReLU(),
    nn.AvgPool2d(2),
    nn.Conv2d(4, 6, 3, padding=1),
    nn.ReLU(),
)
cnn.eval().requires_grad_(False)


def gram_matrix(features):
    flat = features.flatten(2)
    return flat @ flat.mT / flat.numel()


def features(image):
    out = []
    for layer in cnn:
        image = layer(image)
        if isinstance(layer, nn.ReLU):
            out.append(image)
    return out


content, style = torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8)
content_target = features(content)[-1].detach()
style_targets = [gram_matrix(f).detach() for f in features(style)]
input_img = content.clone().requires_grad_(True)
optimizer = torch.optim.LBFGS([input_img], max_iter=3)
fixed = [p.clone() for p in cnn.parameters()]
run = [0]
while run[0] < 12:

    def closure():
        with torch.no_grad():
            input_img.clamp_(0, 1)
        optimizer.zero_grad()
        maps = features(input_img)
        loss = 0.1 * (maps[-1] - content_target).pow(2).mean()
        for f, target in zip(maps, style_targets, strict=True):
            loss = loss + 1e3 * (gram_matrix(f) - target).pow(2).mean()
        loss.backward()
        run[0] += 1
        print(run[0], repr(loss.item()))
        return loss

    optimizer.step(closure)

assert not torch.equal(input_img, content)
assert all(map(torch.equal, fixed, cnn.parameters()))
digest = hashlib.sha256(torch.get_rng_state().numpy())
digest.update(input_img.detach().numpy().tobytes())
print("digest", digest.hexdigest())
