"""The gallery: published claims, each decided by the function that measures it, and their pages."""

from initlab.gallery.exhibit import Exhibit

__all__ = ["Exhibit"]
