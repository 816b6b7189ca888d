"""Pages: results -> self-contained HTML, which opens from disk and asks no network."""
