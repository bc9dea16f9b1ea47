"""The backbone is frozen after the model was wrapped in DDP, which still waits for it.

Expect: frozen after DDP; *backbone.*; ;
Raises: Expected to have finished reduction in the prior iteration
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten())
        self.boxes = nn.Linear(64, 4)
        self.classes = nn.Linear(64, 3)

    def forward(self, image):
        h = self.backbone(image)
        return self.boxes(h), self.classes(h)


def main():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    torch.manual_seed(0)
    detector = DistributedDataParallel(Detector())
    for name, parameter in detector.named_parameters():
        if ".backbone." in name:
            parameter.requires_grad = False
    optimizer = torch.optim.SGD(detector.parameters(), lr=0.01, momentum=0.9)
    for iteration in range(3):
        boxes, classes = detector(torch.rand(2, 3, 6, 6))
        loss = nn.functional.smooth_l1_loss(boxes, torch.rand(2, 4))
        loss = loss + nn.functional.cross_entropy(classes, torch.tensor([0, 2]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("iteration", iteration, loss.item())
        assert iteration == 0


if __name__ == "__main__":
    main()
