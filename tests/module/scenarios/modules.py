"""Networks with unregistered tensors, and frozen layers with statistics that change."""

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from . import BACKBONE, STRAY, TRAP, Built, Scenarios, Two

scenario = Scenarios()
DRIFTS = ("moves", "frozen, but the forward updates this buffer")


@scenario({"layers*": STRAY}, "https://github.com/pytorch/pytorch/issues/715")
def layers_in_a_list() -> Built:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(3, 3) for _ in range(2)]
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x).relu()
            return self.head(x)

    model, x = Net(), torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario.setup({"weights*": STRAY}, "https://github.com/pytorch/pytorch/issues/632")
def parameters_in_a_dict(model: Two) -> None:
    model.weights = {"w": nn.Parameter(torch.ones(4)), "b": nn.Parameter(torch.ones(4))}
    model.between = lambda x: x * model.weights["w"] + model.weights["b"]


@scenario.setup(
    {"peephole": STRAY},
    "https://github.com/automan000/Convolutional_LSTM_PyTorch/issues/17",
)
def attribute_that_is_no_parameter(model: Two) -> None:
    model.peephole = torch.zeros(4, requires_grad=True)
    model.between = lambda x: (x + model.peephole * x).sigmoid()


@scenario.setup({"tensor *": STRAY}, "https://github.com/pytorch/pytorch/issues/94828")
def parameter_that_was_moved(model: Two) -> None:
    """The tensor that ``cuda()`` or ``double()`` returns is no parameter."""
    model.scale = nn.Parameter(torch.ones(4)).double()
    model.between = lambda x: (x * model.scale).float()


@scenario.setup(
    {"tensor *": STRAY},
    "https://github.com/leaderj1001/Attention-Augmented-Conv2d/issues/7",
)
def parameter_made_in_the_forward(model: Two) -> Optimizer:
    model.between = lambda x: x * nn.Parameter(torch.randn(4))
    return SGD(model.parameters(), lr=0.1)


@scenario.between({"tensor *": STRAY}, TRAP)
def layer_that_no_module_holds(x: Tensor) -> Tensor:
    return nn.Linear(4, 4, bias=False)(x)


@scenario.between({}, TRAP)
def input_that_requires_grad(x: Tensor) -> Tensor:
    """A tensor for which the function itself asks a gradient is not reported."""
    assigned = torch.zeros(4)
    assigned.requires_grad = True
    copied = torch.tensor([x.mean()], requires_grad=True)
    made = torch.ones(4, requires_grad=True) + torch.ones(4).requires_grad_()
    return x + assigned + copied + made


STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@scenario(
    {f"0.{name}": DRIFTS for name in STATISTICS} | {"0.*": ("frozen", "")},
    "https://github.com/pytorch/pytorch/issues/86590",
)
def statistics_that_drift() -> Built:
    model = nn.Sequential(nn.BatchNorm1d(3).requires_grad_(False), nn.Linear(3, 2))
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario(
    {f"1.{name}": DRIFTS for name in STATISTICS} | {"[01].*": ("frozen", "")},
    "https://github.com/pgniewko/gt-pyg/issues/112",
)
def statistics_that_train_wakes_up() -> Built:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model[:2].requires_grad_(False).eval()
    model.train()  # as each epoch begins
    x = torch.randn(5, 3)
    return model, lambda: model(x).sum(), SGD(model.parameters(), lr=0.1)


@scenario.setup({BACKBONE: ("frozen", ""), "norm.*": ("frozen", "")})
def statistics_that_rest(model: Two) -> Optimizer:
    model.norm = model.between = nn.BatchNorm1d(4).eval()
    model.norm.requires_grad_(False)
    model.backbone.requires_grad_(False)
    return SGD(model.parameters(), lr=0.1)
