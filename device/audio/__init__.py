"""The audio process: the engine's frames to a sink, one driver per file, and the link that control holds to it."""
