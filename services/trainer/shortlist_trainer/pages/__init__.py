"""Report pages: one self-contained HTML file of a run, of an evaluation, or of several side by side."""
