"""What the control loop shows: one frozen value per pass, read by page, lights and little screen.

The loop publishes a new View by rebinding one reference; readers never lock.
"""

from dataclasses import dataclass, field

from device.contract.pattern import PatternGrid
from device.engine.records import Trigger


@dataclass(frozen=True, slots=True)
class AudioHealth:
    """What the audio half says of itself."""

    sink: str = ""  # "alsa hw:CARD=...", "portaudio ...", "browser", "wav"
    sample_rate: int = 44100
    latency_ms: float = 0.0
    late_blocks: int = 0
    underruns: int = 0
    load: float = 0.0
    alive: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """Everything a player can see."""

    playing: bool = False
    tempo_bpm: float = 110.0
    step: int = 0  # global step since start
    frame: int = 0
    page: str = "play"  # "play" or "shift"
    voice: int = 0  # under the sound knobs
    positions: dict[str, float | tuple[float, ...]] = field(
        default_factory=dict
    )  # parameter -> 0..1 (nine if per voice)
    texts: dict[str, str] = field(default_factory=dict)  # parameter -> value as the player reads it (chosen voice)
    pattern: PatternGrid = field(default_factory=PatternGrid.empty)
    pattern_ident: int = 0  # changes whenever ``pattern`` does
    lights: dict[str, str] = field(default_factory=dict)  # button -> "off", "dim", "on", "blink"
    peaks: tuple[float, ...] = (0.0,) * 11  # nine voices, left, right
    triggers: tuple[Trigger, ...] = ()  # newest hits
    styles: tuple[str, ...] = ()
    style: str = ""  # as the player reads it: "funk" or "funk 70 jazz 30"
    sound_classes: tuple[str, ...] = ()  # what each voice sounds like now
    scene: int = 0
    scenes_saved: tuple[bool, ...] = (False,) * 16
    next_scene: int = -1  # comes at the bar; -1: none
    undo_depth: int = 0
    place: tuple[float, float] = (0.5, 0.5)  # on the rhythm map, where the sound comes from now: with drift and morph
    map_kind: str = "learned"  # or "corners"
    corners: tuple[int | None, ...] = (None,) * 4  # scene of each corner; None: the learned map's
    kept_a: bool = False  # the two ends of the morph: is there one
    kept_b: bool = False
    knobs: tuple[str, ...] = ("x", "y", "style", "density", "chaos", "tone_x", "tone_y", "decay")  # under 1..8 now
    hands: tuple[float | None, ...] = (None,) * 8  # where each knob stands, 0..1; None: not seen yet
    taking_over: tuple[bool, ...] = (False,) * 8  # a hand that has not caught its value yet
    wave: tuple[float, ...] = ()  # 128 peaks 0..1 of the chosen voice's newest sound; none: no sound yet
    wave_ident: int = 0  # changes whenever ``wave`` does
    tones: tuple[tuple[float, float], ...] = ((0.5, 0.5),) * 9  # (x, y) of each voice on the map of its class
    own: tuple[bool, ...] = (False,) * 9  # voices whose TONE the player has touched
    cursor: int = -1  # step a knob has chosen while VOICE is held; -1: none
    edited: bool = False  # the pattern is the player's own hits
    editing: bool = False  # ... and is being encoded
    song: tuple[tuple[int, int], ...] = ()  # (scene, repeats)
    song_at: int = -1  # entry that plays; -1: no song plays
    scenes_info: tuple[str, ...] = ("",) * 16  # style of each scene in words; "": empty
    recording: str = ""  # file being recorded; "": none
    learn: str = ""  # "", "counting 3" (beats left), "recording"
    cc_learn: str = ""  # parameter that waits for a MIDI controller
    message: str = ""  # one plain line for the player
    bundle: str = ""
    audio: AudioHealth = field(default_factory=AudioHealth)
