"""What crosses between control and audio: small fixed binary records, at most 4 KiB each.

    control -> audio   Command = header + one of Params, Pattern, Transport, Sound, Hit
    audio -> control   Report

Every Command may carry the frame at which it takes effect (0: as soon as it is read). Commands are
whole states, not changes, wherever possible (Params is always all parameters), so the newest one
supersedes the older ones and a restarted half is brought up to date by sending each once.

Header (little endian, 24 bytes): magic u16, version u8, kind u8, sequence u32, frame u64, size u32, spare u32.
"""

import struct
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import ClassVar, Final, Self

import numpy as np

from device.contract.pattern import GRID_SHAPE, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.errors import LinkError

MAGIC: Final = 0x1A7D
VERSION: Final = 1
MAX_RECORD_BYTES: Final = 4096
HEADER: Final = struct.Struct("<HBBIQII")
MAX_LAYERS: Final = 4
SLOT_COUNT: Final = 128  # sound slots in shared memory
SLOT_FRAMES: Final = 65536  # frames a slot holds; mono float32
MAX_TRIGGERS: Final = 64  # triggers a report can carry


class Kind(IntEnum):
    """Which record a message holds."""

    PARAMS = 1
    PATTERN = 2
    TRANSPORT = 3
    SOUND = 4
    HIT = 5
    REPORT = 64


class Action(IntEnum):
    """What a Transport record asks for."""

    STOP = 0
    START = 1
    PANIC = 2  # stop and silence all voices at once (ramped)
    CONTINUE = 3


class When(IntEnum):
    """When a Pattern takes over."""

    NEXT_STEP = 0
    NEXT_BAR = 1


def _nine(value: float) -> tuple[float, ...]:
    return (value,) * VOICE_COUNT


@dataclass(frozen=True, slots=True)
class Params:
    """All continuous parameters as the engine needs them. Units in the names; nine-tuples are per voice."""

    kind: ClassVar[Kind] = Kind.PARAMS
    tempo_bpm: float = 110.0  # 20..300
    swing: float = 0.0  # 0..1; 1 delays every second step by half a step
    humanize: float = 1.0  # 0..1 scales learned offsets and velocities
    density: float = 0.5  # 0..1
    chaos: float = 0.0  # 0..1
    drive: float = 0.0  # 0..1
    master: float = 0.8  # 0..1 position; the mixer maps it to gain
    length_steps: float = 32.0  # 1..32
    seed: float = 1.0  # whole number < 2**24; the draw of each bar depends on it and the bar number alone
    voice_density: tuple[float, ...] = field(default_factory=lambda: _nine(0.5))
    mute: tuple[float, ...] = field(default_factory=lambda: _nine(0.0))
    level: tuple[float, ...] = field(default_factory=lambda: _nine(0.8))
    pan: tuple[float, ...] = field(default_factory=lambda: _nine(0.0))
    decay: tuple[float, ...] = field(default_factory=lambda: _nine(1.0))  # 0..1; 1 is the sound as rendered
    follow: tuple[float, ...] = field(default_factory=lambda: _nine(1.0))
    voice_length: tuple[float, ...] = field(default_factory=lambda: _nine(32.0))

    _LAYOUT: ClassVar[struct.Struct] = struct.Struct(f"<9f{7 * VOICE_COUNT}f")

    def pack(self) -> bytes:
        """Payload bytes."""
        flat: list[float] = []
        for entry in fields(self):
            value = getattr(self, entry.name)
            flat.extend(value) if isinstance(value, tuple) else flat.append(value)
        return self._LAYOUT.pack(*flat)

    @classmethod
    def unpack(cls, payload: memoryview) -> Self:
        """From payload bytes."""
        flat = cls._LAYOUT.unpack(payload)
        rows = [flat[9 + VOICE_COUNT * row : 9 + VOICE_COUNT * (row + 1)] for row in range(7)]
        return cls(*flat[:9], *rows)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A new pattern; it takes over at the next step or bar line."""

    kind: ClassVar[Kind] = Kind.PATTERN
    grid: PatternGrid
    when: When = When.NEXT_STEP
    ident: int = 0  # echoed in the Report once it plays

    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<II")

    def pack(self) -> bytes:
        """Payload bytes."""
        return self._LAYOUT.pack(self.when, self.ident) + self.grid.cells.astype("<f4").tobytes()

    @classmethod
    def unpack(cls, payload: memoryview) -> Self:
        """From payload bytes."""
        when, ident = cls._LAYOUT.unpack(payload[:8])
        cells = np.frombuffer(payload[8:], dtype="<f4").reshape(GRID_SHAPE)
        return cls(PatternGrid(cells), When(when), ident)


@dataclass(frozen=True, slots=True)
class Transport:
    """Start (from step 0), stop, continue, panic."""

    kind: ClassVar[Kind] = Kind.TRANSPORT
    action: Action
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<I")

    def pack(self) -> bytes:
        """Payload bytes."""
        return self._LAYOUT.pack(self.action)

    @classmethod
    def unpack(cls, payload: memoryview) -> Self:
        """From payload bytes."""
        return cls(Action(cls._LAYOUT.unpack(payload)[0]))


@dataclass(frozen=True, slots=True)
class Sound:
    """A voice's new one-shot: one slot per velocity layer, soft to hard. The next hit plays it.

    ``slots`` and ``frames`` (valid length of each) have the same 1..4 entries.
    """

    kind: ClassVar[Kind] = Kind.SOUND
    voice: int
    slots: tuple[int, ...]
    frames: tuple[int, ...]
    ident: int = 0
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct(f"<III{2 * MAX_LAYERS}I")

    def pack(self) -> bytes:
        """Payload bytes."""
        pad = (0,) * (MAX_LAYERS - len(self.slots))
        return self._LAYOUT.pack(self.voice, self.ident, len(self.slots), *self.slots, *pad, *self.frames, *pad)

    @classmethod
    def unpack(cls, payload: memoryview) -> Self:
        """From payload bytes."""
        voice, ident, layers, *rest = cls._LAYOUT.unpack(payload)
        slots, frames = tuple(rest[:layers]), tuple(rest[MAX_LAYERS : MAX_LAYERS + layers])
        fits = voice < VOICE_COUNT and 1 <= layers <= MAX_LAYERS
        if not fits or max(slots) >= SLOT_COUNT or max(frames) > SLOT_FRAMES:
            raise LinkError(f"sound for voice {voice} with slots {slots} and frames {frames} is out of range")
        return cls(voice, slots, frames, ident)


@dataclass(frozen=True, slots=True)
class Hit:
    """Play a voice now (audition, pads, MIDI notes)."""

    kind: ClassVar[Kind] = Kind.HIT
    voice: int
    velocity: float  # 0..1
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<If")

    def pack(self) -> bytes:
        """Payload bytes."""
        return self._LAYOUT.pack(self.voice, self.velocity)

    @classmethod
    def unpack(cls, payload: memoryview) -> Self:
        """From payload bytes."""
        voice, velocity = cls._LAYOUT.unpack(payload)
        if voice >= VOICE_COUNT or not 0.0 <= velocity <= 1.0:
            raise LinkError(f"hit on voice {voice} with velocity {velocity} is out of range")
        return cls(voice, velocity)


Command = Params | Pattern | Transport | Sound | Hit
_COMMANDS: Final[dict[int, type[Command]]] = {
    Kind.PARAMS: Params,
    Kind.PATTERN: Pattern,
    Kind.TRANSPORT: Transport,
    Kind.SOUND: Sound,
    Kind.HIT: Hit,
}


@dataclass(frozen=True, slots=True)
class Stamped:
    """A Command with its sequence number and the frame it takes effect at (0: at once)."""

    command: Command
    sequence: int = 0
    frame: int = 0


def encode(stamped: Stamped) -> bytes:
    """One Command as the bytes of one message."""
    payload = stamped.command.pack()
    header = HEADER.pack(
        MAGIC, VERSION, stamped.command.kind, stamped.sequence & 0xFFFFFFFF, stamped.frame, len(payload), 0
    )
    return header + payload


def decode(message: bytes | bytearray | memoryview) -> Stamped:
    """One message back into a Command. Raises LinkError for anything foreign; never another error."""
    view = memoryview(message)
    if not HEADER.size <= len(view) <= MAX_RECORD_BYTES:
        raise LinkError(f"record of {len(view)} bytes: must be {HEADER.size}..{MAX_RECORD_BYTES}")
    magic, version, kind, sequence, frame, size, _ = HEADER.unpack(view[: HEADER.size])
    if magic != MAGIC or version != VERSION:
        raise LinkError(
            f"record with magic {magic:#x} version {version}: this audio process speaks {MAGIC:#x} version {VERSION}; restart both"
        )
    record = _COMMANDS.get(kind)
    if record is None or size != len(view) - HEADER.size:
        raise LinkError(f"record of unknown kind {kind} or wrong size {size}")
    try:
        return Stamped(record.unpack(view[HEADER.size :]), sequence, frame)
    except (struct.error, ValueError) as error:
        raise LinkError(f"{record.__name__} record is malformed: {error}") from error


@dataclass(frozen=True, slots=True)
class Trigger:
    """One hit that was or will be heard."""

    frame: int
    voice: int
    velocity: float  # 0..1
    step: int  # global step since start, -1 for a played hit


@dataclass(frozen=True, slots=True)
class Report:
    """Where the audio half is. Newest supersedes; nothing here is only said once but ``triggers``.

    ``slots_in_use`` is a bit per sound slot, for slots announced or still sounding. A slot may be written
    again when its bit is clear in a Report whose ``applied`` is at or past the last Sound that named it.
    """

    epoch: int = 0  # changes when the audio process is another
    applied: int = 0  # sequence number of the newest Command taken
    frame: int = 0  # frames rendered so far
    at_ns: int = 0  # CLOCK_MONOTONIC when that frame was handed to the sink
    playing: bool = False
    step: int = 0  # global step since start
    pattern: int = 0  # ident of the playing Pattern
    tempo_bpm: float = 0.0
    late_blocks: int = 0
    underruns: int = 0
    load: float = 0.0  # share of the block time spent rendering, smoothed
    peaks: tuple[float, ...] = field(default_factory=lambda: (0.0,) * (VOICE_COUNT + 2))  # voices, left, right
    slots_in_use: int = 0
    triggers: tuple[Trigger, ...] = ()

    _FIXED: ClassVar[struct.Struct] = struct.Struct(f"<IIQQIiIfIIf{VOICE_COUNT + 2}f{SLOT_COUNT // 8}sI")
    _TRIGGER: ClassVar[struct.Struct] = struct.Struct("<QIfi")

    def encode(self) -> bytes:
        """As the bytes of one message."""
        triggers = self.triggers[-MAX_TRIGGERS:]
        payload = self._FIXED.pack(
            self.epoch,
            self.applied & 0xFFFFFFFF,
            self.frame,
            self.at_ns,
            int(self.playing),
            self.step,
            self.pattern,
            self.tempo_bpm,
            self.late_blocks,
            self.underruns,
            self.load,
            *self.peaks,
            self.slots_in_use.to_bytes(SLOT_COUNT // 8, "little"),
            len(triggers),
        ) + b"".join(self._TRIGGER.pack(t.frame, t.voice, t.velocity, t.step) for t in triggers)
        return (
            HEADER.pack(MAGIC, VERSION, Kind.REPORT, self.applied & 0xFFFFFFFF, self.frame, len(payload), 0) + payload
        )

    @classmethod
    def decode(cls, message: bytes | bytearray | memoryview) -> Self:
        """From the bytes of one message. Raises LinkError."""
        view = memoryview(message)
        try:
            magic, version, kind, _, _, size, _ = HEADER.unpack(view[: HEADER.size])
            body = view[HEADER.size :]
            if (magic, version, kind, size) != (MAGIC, VERSION, Kind.REPORT, len(body)):
                raise LinkError(f"not a report: magic {magic:#x}, version {version}, kind {kind}, size {size}")
            *fixed, bits, count = cls._FIXED.unpack(body[: cls._FIXED.size])
            rest = body[cls._FIXED.size :]
            if count > MAX_TRIGGERS or len(rest) != count * cls._TRIGGER.size:
                raise LinkError(f"report says {count} triggers in {len(rest)} bytes")
            triggers = tuple(Trigger(*values) for values in cls._TRIGGER.iter_unpack(rest))
        except struct.error as error:
            raise LinkError(f"report is malformed: {error}") from error
        epoch, applied, frame, at_ns, playing, step, pattern, tempo_bpm, late_blocks, underruns, load = fixed[:11]
        return cls(
            epoch=epoch,
            applied=applied,
            frame=frame,
            at_ns=at_ns,
            playing=bool(playing),
            step=step,
            pattern=pattern,
            tempo_bpm=tempo_bpm,
            late_blocks=late_blocks,
            underruns=underruns,
            load=load,
            peaks=tuple(fixed[11:]),
            slots_in_use=int.from_bytes(bits, "little"),
            triggers=triggers,
        )
