"""Tests of the module, one file for each thing it does."""
