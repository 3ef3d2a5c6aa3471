"""Pretrained encoders of texts and images, and embeddings of a data set's items by them. Used before training only."""
