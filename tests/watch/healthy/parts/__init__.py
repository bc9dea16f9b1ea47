"""Modules that programs of the folder above import."""
