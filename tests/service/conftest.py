"""Fixtures every test of the service may ask for."""

from tests.receiver import receiver

__all__ = ["receiver"]
