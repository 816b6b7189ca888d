"""`from initlab.torch import diagnose, init_`: initlab for a model of PyTorch."""

from initlab.frameworks.torch import diagnose
from initlab.frameworks.torch_init import init_

__all__ = ["diagnose", "init_"]
