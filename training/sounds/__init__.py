"""The sound VAE: one-shots in, a small latent, drum sounds with a real attack out.

A sound is described by *controls* (envelopes of partials, noise bands and a click on a two-resolution
time grid). Real one-shots are analysed into controls, our synthesizer invents controls, the model
predicts controls, and one renderer turns all three into waveforms.
"""
