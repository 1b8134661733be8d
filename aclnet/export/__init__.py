"""Trained runs exported for use elsewhere: as an ONNX graph, or as weights."""
