"""From two finished trainings to one bundle: ONNX graphs, int8 weights, parity in musical terms, golden outputs."""
