"""What initlab offers to models of Keras; see `initlab.frameworks.keras`."""

from initlab.frameworks.keras import diagnose

__all__ = ["diagnose"]
