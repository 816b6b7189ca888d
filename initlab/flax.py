"""What initlab offers to models of Flax; see `initlab.frameworks.flax`."""

from initlab.frameworks.flax import diagnose

__all__ = ["diagnose"]
