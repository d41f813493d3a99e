"""The rhythm VAE: two-bar grooves in, a small latent, a field of levels, velocities and timings out.

It learns from real drummers (``groove``) and from our own electronic styles (``styles``), and lays its
latents out on the map that the knobs X and Y walk (``layout``).
"""
