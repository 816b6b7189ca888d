"""Figures: plain arrays and small dataclasses -> matplotlib Figures. No files, no records, no training."""
