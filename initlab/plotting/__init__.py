"""Figures: records and measurements -> matplotlib Figures. Nothing here trains a network or reads YAML."""
