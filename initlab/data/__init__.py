"""Datasets as plain arrays: IDX files -> checked, unpacked once -> memory-mapped -> floats."""
