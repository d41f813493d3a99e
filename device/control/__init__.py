"""The control half: what the player set, what the models are asked for, what the audio half is told."""
