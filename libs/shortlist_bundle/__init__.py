"""Bundles, the unit of release: written once, verified before anything is parsed, published by compare-and-set.

Modules that need numpy or onnxruntime (``arrays``, ``session``, ``golden``) are imported by the stages that have them;
everything else here is standard library, so that the gateway can read a bundle too.
"""
