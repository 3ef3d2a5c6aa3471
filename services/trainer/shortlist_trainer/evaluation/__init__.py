"""`shortlist evaluate`: models under a protocol, a bundle stage by stage, a pipeline as it is served."""
