"""Diagnosis: layer numbers -> symptoms and criteria -> verdict -> cure. It knows no framework and no file."""
