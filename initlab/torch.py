"""`from initlab.torch import diagnose, init_, schemes_of, width_check`: initlab for a model of PyTorch."""

from initlab.frameworks.torch import diagnose
from initlab.frameworks.torch_init import init_, schemes_of
from initlab.frameworks.torch_width import width_check

__all__ = ["diagnose", "init_", "schemes_of", "width_check"]
