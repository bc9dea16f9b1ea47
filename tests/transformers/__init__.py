"""Tests of gradguide on the models of the package transformers."""
