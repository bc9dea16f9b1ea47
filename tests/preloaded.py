"""Imports PyTorch once, for a process from which the programs of tests are forked.

What it has made is left out of every collection and search of garbage from then on, so
that a fork neither copies it nor goes through it.
"""

import gc

import torch._dynamo  # noqa: F401

gc.freeze()
