"""Helpers for continual learning."""

import copy


def seed_everything(seed):
    import random

    import torch

    random.seed(seed)
    torch.manual_seed(seed)


def clone_of(module):
    clone = copy.deepcopy(module)  # blame
    clone.train()
    return clone
