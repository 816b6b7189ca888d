"""Models that people bring from other libraries."""
