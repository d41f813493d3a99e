"""What crosses between control and audio: every record comes back as it went, anything foreign is a LinkError."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from device.contract.pattern import GRID_SHAPE, PatternGrid
from device.contract.voices import VOICE_COUNT
from device.engine.records import (
    HEADER,
    MAGIC,
    MAX_LAYERS,
    MAX_RECORD_BYTES,
    MAX_TRIGGERS,
    SLOT_COUNT,
    SLOT_FRAMES,
    VERSION,
    Action,
    Hit,
    Kind,
    Params,
    Pattern,
    Report,
    Sound,
    Stamped,
    Transport,
    Trigger,
    When,
    decode,
    encode,
)
from device.errors import LinkError

words = st.integers(0, 2**32 - 1)
longs = st.integers(0, 2**64 - 1)
unit = st.floats(0.0, 1.0, width=32)
single = st.floats(-1e6, 1e6, width=32)
nine = st.tuples(*[single] * VOICE_COUNT)


@st.composite
def grids(draw):
    values = draw(hnp.arrays(np.float32, GRID_SHAPE, elements=unit, fill=unit))
    values[..., 2] -= 0.5
    return PatternGrid(values)


@st.composite
def sounds(draw):
    layers = draw(st.integers(1, MAX_LAYERS))
    slots = st.tuples(*[st.integers(0, SLOT_COUNT - 1)] * layers)
    frames = st.tuples(*[st.integers(0, SLOT_FRAMES)] * layers)
    return Sound(draw(st.integers(0, VOICE_COUNT - 1)), draw(slots), draw(frames), draw(words))


COMMANDS = {
    Params: st.builds(
        Params,
        *[single] * 8,
        seed=st.integers(0, 2**24 - 1).map(float),
        voice_density=nine, mute=nine, level=nine, pan=nine, decay=nine, follow=nine, voice_length=nine,
    ),
    Pattern: st.builds(Pattern, grids(), st.sampled_from(When), words),
    Transport: st.builds(Transport, st.sampled_from(Action)),
    Sound: sounds(),
    Hit: st.builds(Hit, st.integers(0, VOICE_COUNT - 1), unit),
}  # fmt: skip
commands = st.one_of(*COMMANDS.values())
reports = st.builds(
    Report,
    epoch=words,
    applied=words,
    frame=longs,
    at_ns=longs,
    playing=st.booleans(),
    step=st.integers(-(2**31), 2**31 - 1),
    pattern=words,
    tempo_bpm=single,
    late_blocks=words,
    underruns=words,
    load=single,
    peaks=st.tuples(*[single] * (VOICE_COUNT + 2)),
    slots_in_use=st.integers(0, 2**SLOT_COUNT - 1),
    triggers=st.lists(
        st.builds(Trigger, longs, st.integers(0, VOICE_COUNT - 1), unit, st.integers(-1, 2**31 - 1)),
        max_size=MAX_TRIGGERS,
    ).map(tuple),
)


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_every_command_comes_back_as_it_went(kind):
    @given(COMMANDS[kind], words, longs)
    def there_and_back(command, sequence, frame):
        stamped = Stamped(command, sequence, frame)
        message = encode(stamped)
        assert len(message) <= MAX_RECORD_BYTES
        assert decode(message) == stamped
        assert decode(bytearray(message)) == decode(memoryview(message)) == stamped

    there_and_back()


@given(reports)
def test_every_report_comes_back_as_it_went(report):
    message = report.encode()
    assert len(message) <= MAX_RECORD_BYTES
    assert Report.decode(message) == report


def test_every_kind_of_command_is_tried_here():
    assert {kind.kind for kind in COMMANDS} | {Kind.REPORT} == set(Kind)


def test_a_sequence_number_wraps_around():
    assert decode(encode(Stamped(Hit(0, 1.0), sequence=2**32 + 5))).sequence == 5


def test_a_report_carries_the_newest_triggers_when_there_are_too_many():
    triggers = tuple(Trigger(frame, 0, 1.0, frame) for frame in range(MAX_TRIGGERS + 10))
    assert Report.decode(Report(triggers=triggers).encode()).triggers == triggers[10:]


@given(commands, st.integers(1, 4000))
def test_a_record_cut_short_is_refused(command, keep):
    message = encode(Stamped(command))
    with pytest.raises(LinkError):
        decode(message[: min(keep, len(message) - 1)])


@given(commands, st.binary(min_size=1, max_size=64))
def test_a_record_with_something_behind_it_is_refused(command, more):
    with pytest.raises(LinkError):
        decode(encode(Stamped(command)) + more)


@given(reports, st.integers(0, 4000))
def test_a_report_cut_short_is_refused(report, keep):
    message = report.encode()
    with pytest.raises(LinkError):
        Report.decode(message[: min(keep, len(message) - 1)])


def test_a_report_is_no_command_and_a_command_no_report():
    with pytest.raises(LinkError, match="unknown kind 64"):
        decode(Report().encode())
    with pytest.raises(LinkError, match="not a report"):
        Report.decode(encode(Stamped(Hit(0, 1.0))))


def test_another_version_says_to_restart_both():
    message = bytearray(encode(Stamped(Hit(0, 1.0))))
    message[2] = VERSION + 1
    with pytest.raises(LinkError, match="restart both"):
        decode(message)


def test_ten_thousand_random_messages_are_only_ever_link_errors():
    draw = np.random.default_rng(7)
    for _ in range(10_000):
        message = draw.bytes(int(draw.integers(0, 400)))
        for read in (decode, Report.decode):
            with pytest.raises(LinkError):
                read(message)


def test_ten_thousand_random_payloads_behind_a_right_header_are_a_record_or_a_link_error():
    draw = np.random.default_rng(8)
    sizes = {kind.kind: len(encode(Stamped(example))) - HEADER.size for kind, example in EXAMPLES.items()}
    accepted, refusals = 0, []
    for _ in range(10_000):
        kind = draw.choice(list(sizes))
        payload = draw.bytes(sizes[kind])
        message = HEADER.pack(MAGIC, VERSION, kind, 1, 0, len(payload), 0) + payload
        try:
            accepted += decode(message).sequence == 1
        except LinkError as error:
            refusals.append(str(error))
    assert accepted  # Params takes any numbers, so some of them are records
    assert not any("\n" in refusal for refusal in refusals)


def test_ten_thousand_flipped_bytes_are_a_record_or_a_link_error():
    draw = np.random.default_rng(9)
    messages = [encode(Stamped(example, 1, 2)) for example in EXAMPLES.values()]
    report = Report(triggers=(Trigger(1, 2, 0.5, 3),)).encode()
    for _ in range(10_000):
        for source, read in ((messages[draw.integers(len(messages))], decode), (report, Report.decode)):
            message = bytearray(source)
            message[draw.integers(len(message))] ^= int(draw.integers(1, 256))
            with contextlib.suppress(LinkError):
                read(message)


EXAMPLES = {
    Params: Params(),
    Pattern: Pattern(PatternGrid.empty()),
    Transport: Transport(Action.START),
    Sound: Sound(0, (1, 2), (100, 200)),
    Hit: Hit(3, 0.5),
}


def bare(kind, payload):
    return HEADER.pack(MAGIC, VERSION, kind, 0, 0, len(payload), 0) + payload


@pytest.mark.parametrize(
    "payload",
    [
        struct.pack("<III8I", VOICE_COUNT, 0, 1, *[0] * 8),  # no such voice
        struct.pack("<III8I", 0, 0, 0, *[0] * 8),  # no layer
        struct.pack("<III8I", 0, 0, MAX_LAYERS + 1, *[0] * 8),  # too many layers
        struct.pack("<III8I", 0, 0, 1, SLOT_COUNT, *[0] * 7),  # no such slot
        struct.pack("<III8I", 0, 0, 1, 0, 0, 0, 0, SLOT_FRAMES + 1, 0, 0, 0),  # longer than a slot
    ],
)
def test_a_sound_that_names_what_is_not_there_is_refused(payload):
    with pytest.raises(LinkError, match="out of range"):
        decode(bare(Kind.SOUND, payload))


@pytest.mark.parametrize(("voice", "velocity"), [(9, 0.5), (0, 1.5), (0, -0.1), (0, float("nan")), (2**32 - 1, 0.0)])
def test_a_hit_out_of_range_is_refused(voice, velocity):
    with pytest.raises(LinkError, match="out of range"):
        decode(bare(Kind.HIT, struct.pack("<If", voice, velocity)))


def test_an_unknown_action_or_moment_is_refused():
    with pytest.raises(LinkError, match="malformed"):
        decode(bare(Kind.TRANSPORT, struct.pack("<I", 9)))
    with pytest.raises(LinkError, match="malformed"):
        decode(bare(Kind.PATTERN, struct.pack("<II", 7, 0) + bytes(4 * 32 * 9 * 3)))


def test_a_pattern_with_a_value_that_is_no_number_is_refused():
    cells = np.full(GRID_SHAPE, np.nan, "<f4")
    with pytest.raises(LinkError, match="not a number"):
        decode(bare(Kind.PATTERN, struct.pack("<II", 0, 0) + cells.tobytes()))
