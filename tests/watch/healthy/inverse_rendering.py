"""A camera pose, a light and a texture, bare tensors in one dict, explain an image."""

import hashlib

import torch

torch.manual_seed(165)
grid = torch.stack(torch.meshgrid(*2 * [torch.linspace(-1, 1, 8)], indexing="ij"), -1)


def render(scene):
    c, s = torch.cos(scene["pose"][0]), torch.sin(scene["pose"][0])
    rotation = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
    where = grid @ rotation.T + scene["pose"][1:]
    light = torch.sigmoid(where @ scene["light"])
    sampled = torch.nn.functional.grid_sample(
        scene["texture"], where[None], padding_mode="border", align_corners=True
    )
    return sampled[0, 0] * light


truth = {
    "pose": torch.tensor([0.3, 0.1, -0.1]),
    "light": torch.tensor([1.0, -0.5]),
    "texture": torch.rand(1, 1, 4, 4),
}
image = render(truth)
scene = {
    "pose": torch.zeros(3, requires_grad=True),
    "light": torch.zeros(2, requires_grad=True),
    "texture": torch.full((1, 1, 4, 4), 0.5, requires_grad=True),
}
# The first iteration sees an even texture: only from the second does the pose matter.
optimizer = torch.optim.Adam(
    [
        {"params": [scene["pose"]], "lr": 0.01},
        {"params": [scene["light"], scene["texture"]], "lr": 0.05},
    ]
)
before = {name: value.detach().clone() for name, value in scene.items()}
for step in range(8):
    loss = (render(scene) - image).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        scene["texture"].clamp_(0, 1)
    print(step, repr(loss.item()))

assert not any(torch.equal(value, before[name]) for name, value in scene.items())
digest = hashlib.sha256(torch.get_rng_state().numpy())
for value in scene.values():
    digest.update(value.detach().numpy().tobytes())
print("digest", digest.hexdigest())
