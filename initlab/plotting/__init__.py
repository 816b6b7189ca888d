"""Figures: plain arrays and small dataclasses -> matplotlib Figures. No files, no records, no training."""

from initlab.plotting import depth, elements, figures, histograms, loss, style, tracking

__all__ = ["depth", "elements", "figures", "histograms", "loss", "style", "tracking"]
