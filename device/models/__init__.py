"""The models on the device: loading, running and waiting for them. The only user of onnxruntime is models.py."""
