"""From what the player set to what the engine needs: one PlayerState becomes one Params record.

DECAY is shared between engine and model: its lower part shortens the sound as it plays (at once),
its upper part asks the sound model for a longer one (see wishes.py).
"""

from typing import Final

from device.contract.voices import VOICE_COUNT
from device.control.state import PlayerState
from device.engine.records import Params

NATURAL_DECAY: Final = 0.7  # the position of DECAY where a sound rings as it was rendered


def engine_params(state: PlayerState) -> Params:
    """All continuous parameters as the engine needs them."""

    def value(name: str) -> float:
        return state.value(name)

    def nine(name: str) -> tuple[float, ...]:
        return tuple(state.value(name, voice) for voice in range(VOICE_COUNT))

    return Params(
        tempo_bpm=value("tempo"),
        swing=value("swing"),
        humanize=value("humanize"),
        density=value("density"),
        chaos=value("chaos"),
        drive=value("drive"),
        master=value("master"),
        length_steps=value("length"),
        seed=float(state.seed),
        voice_density=nine("voice_density"),
        mute=nine("mute"),
        level=nine("level"),
        pan=nine("pan"),
        decay=tuple(min(position / NATURAL_DECAY, 1.0) for position in nine("decay")),
        follow=nine("follow"),
        voice_length=nine("voice_length"),
    )


def longer_decay(position: float) -> float:
    """How far (0..1) the sound latent goes along its decay direction for this position of DECAY."""
    return max(position - NATURAL_DECAY, 0.0) / (1.0 - NATURAL_DECAY)
