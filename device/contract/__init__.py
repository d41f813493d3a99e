"""What device, training and export agree on: voices, pattern grid, latent maps, bundle.

Only the standard library, numpy and msgspec may be imported here; a test holds it.
"""
