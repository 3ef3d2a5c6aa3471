"""What ``shortlist evaluate`` and ``shortlist report`` do beside parsing arguments."""
