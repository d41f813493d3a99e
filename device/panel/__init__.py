"""Hands and lights: what a player touches, as events; no pin is named outside this package."""
