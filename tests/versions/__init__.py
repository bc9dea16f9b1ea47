"""Runs every script on other versions of PyTorch, and records what is different."""
