"""Tests of ``python -m gradguide`` and ``gradguide.watch`` on whole programs."""
