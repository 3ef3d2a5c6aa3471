"""The slate: what order, caps, pins, rotation and chance make of candidates."""
