"""The demo: data, training, serving and questions in one run."""
