"""MIDI: ports, the clock that follows and the clock that is sent."""
