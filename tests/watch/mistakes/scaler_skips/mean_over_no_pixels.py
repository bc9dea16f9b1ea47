"""A mean over the pixels of an empty mask is nan, and the scaler skips that head.

Expect: still; depth_head.*; skipped by the scaler;
"""

import torch
from torch import nn

torch.manual_seed(97)
trunk = nn.Conv2d(1, 6, 3, padding=1)
mask_head, depth_head = nn.Conv2d(6, 1, 1), nn.Conv2d(6, 1, 1)
optimizers = {
    "mask": torch.optim.Adam([*trunk.parameters(), *mask_head.parameters()], lr=1e-3),
    "depth": torch.optim.Adam(depth_head.parameters(), lr=1e-3),
}
scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
start = depth_head.weight.tolist(), trunk.weight.tolist()
for step in range(3):
    image = torch.rand(2, 1, 6, 6)
    known = image > 1
    with torch.autocast("cpu", dtype=torch.float16):
        features = trunk(image).relu()
        mask = mask_head(features)
        depth = depth_head(features.detach())
    wanted = (image > 0.5).float()
    loss = nn.functional.binary_cross_entropy_with_logits(mask.float(), wanted)
    depth_loss = ((depth.float() - image).abs() * known).sum() / known.sum()
    for optimizer in optimizers.values():
        optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.scale(depth_loss).backward()
    for optimizer in optimizers.values():
        scaler.step(optimizer)
    scaler.update()
    print(step, loss.item(), depth_loss.item(), scaler.get_scale())
assert depth_head.weight.tolist() == start[0]
assert depth_head.weight.grad.isnan().all()
assert trunk.weight.tolist() != start[1]
