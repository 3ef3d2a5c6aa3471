"""Data sets: reading, checking, splitting, and features that never look ahead."""
