"""Models at training time: PyTorch modules, losses and their export to ONNX."""
