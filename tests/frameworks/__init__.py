"""Tests of gradguide on programs that train with real frameworks."""
