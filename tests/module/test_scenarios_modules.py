"""Networks with tensors that are not registered, and layers that freeze by halves."""

import torch
from torch import Tensor, nn
from torch.optim import SGD

from .scenarios import BACKBONE, STRAY, Made, Scenario, Scenarios, Two, check

scenario = Scenarios()
DRIFTS = ("moves", "frozen, but the forward updates this buffer")


@scenario({"layers*": STRAY}, "https://github.com/pytorch/pytorch/issues/715")
def layers_in_a_list() -> Made:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(3, 3) for _ in range(2)]
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x).relu()
            return self.head(x)

    model = Net()
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario({"weights*": STRAY}, "https://github.com/pytorch/pytorch/issues/632")
def parameters_in_a_dict() -> Made:
    model = Two()
    model.weights = {"w": nn.Parameter(torch.ones(4)), "b": nn.Parameter(torch.ones(4))}
    model.between = lambda x: x * model.weights["w"] + model.weights["b"]
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario(
    {"peephole": STRAY},
    "https://github.com/automan000/Convolutional_LSTM_PyTorch/issues/17",
)
def attribute_that_is_no_parameter() -> Made:
    model = Two()
    model.peephole = torch.zeros(4, requires_grad=True)
    model.between = lambda x: (x + model.peephole * x).sigmoid()
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario({"tensor *": STRAY}, "https://github.com/pytorch/pytorch/issues/94828")
def parameter_that_was_moved() -> Made:
    """What ``cuda()`` or ``double()`` returns is a result of the parameter."""
    model = Two()
    model.scale = nn.Parameter(torch.ones(4)).double()
    model.between = lambda x: (x * model.scale).float()
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum()


@scenario(
    {"tensor *": STRAY},
    "https://github.com/leaderj1001/Attention-Augmented-Conv2d/issues/7",
)
def parameter_made_in_the_forward() -> Made:
    model = Two(lambda x: x * nn.Parameter(torch.randn(4)))
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario(
    {
        "features.running_*": DRIFTS,
        "features.num_batches_tracked": DRIFTS,
        "features.*": ("frozen", ""),
    },
    "https://github.com/pytorch/pytorch/issues/86590",
)
def statistics_that_drift() -> Made:
    model = nn.ModuleDict({"features": nn.BatchNorm1d(3), "head": nn.Linear(3, 2)})
    model["features"].requires_grad_(requires_grad=False)
    x = torch.randn(5, 3)

    def loss() -> Tensor:
        return model["head"](model["features"](x)).sum()

    return model, loss, SGD(model.parameters(), lr=0.1)


@scenario(
    {
        "1.running_*": DRIFTS,
        "1.num_batches_tracked": DRIFTS,
        "[01].*": ("frozen", ""),
    },
    "https://github.com/pgniewko/gt-pyg/issues/112",
)
def statistics_that_train_wakes_up() -> Made:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model[:2].requires_grad_(requires_grad=False).eval()
    model.train()  # as each epoch begins
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario({BACKBONE: ("frozen", ""), "norm.*": ("frozen", "")})
def statistics_that_rest() -> Made:
    model = Two()
    model.norm = nn.BatchNorm1d(4)
    model.between = model.norm
    for part in (model.backbone, model.norm):
        part.requires_grad_(requires_grad=False)
    model.norm.eval()
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario.parametrize()
def test_module(scenario: Scenario) -> None:
    """The verdict is right, and a real step changes what it should."""
    check(scenario)
