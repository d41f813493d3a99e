"""The same music for every block size, to the last bit, whatever moves while it plays."""

from itertools import chain, repeat

import numpy as np
import pytest
from engine_kit import every, grid, kit_sounds, render
from hypothesis import given, settings
from hypothesis import strategies as st

from device.contract.pattern import PatternGrid
from device.engine.records import Action, Hit, Params, Pattern, Stamped, Transport, When

FRAMES = 40_000
BUSY = grid(
    every(4, "kick") + every(1, "closed_hat") + every(8, "open_hat", 6) + every(8, "snare", 4) + every(3, "ride")
)


def moving_music():
    """Every ramped parameter moves, patterns and sounds change, pads are hit, all at odd frames."""
    yield Stamped(Pattern(BUSY))
    yield Stamped(Transport(Action.START))
    for index, frame in enumerate(range(701, FRAMES, 1_777)):
        share = (index * 0.37) % 1.0
        nine = tuple((share + voice / 9) % 1.0 for voice in range(9))
        yield Stamped(
            Params(
                tempo_bpm=60 + 240 * share,
                swing=share,
                humanize=1 - share,
                density=0.3 + 0.7 * share,
                chaos=share,
                drive=share,
                master=0.4 + 0.6 * share,
                level=nine,
                pan=tuple(2 * value - 1 for value in nine),
                decay=nine,
                follow=nine,
            ),
            frame=frame,
        )
        yield Stamped(Hit(index % 9, 0.2 + 0.8 * share), frame=frame + 333)
        if index % 4 == 1:
            when = When.NEXT_BAR if index % 8 == 1 else When.NEXT_STEP
            yield Stamped(Pattern(grid(every(2, "kick", index % 2), offset=share - 0.5), when, index), frame=frame + 91)
        if index % 5 == 2:
            yield Stamped(kit_sounds(1 + index % 3)[index % 9], frame=frame + 40)
    yield Stamped(Transport(Action.STOP), frame=30_011)
    yield Stamped(Transport(Action.CONTINUE), frame=31_013)
    yield Stamped(Transport(Action.PANIC), frame=37_777)


MUSIC = sorted(moving_music(), key=lambda stamped: stamped.frame)
WHOLE = render(MUSIC, FRAMES, repeat(FRAMES))


@pytest.mark.parametrize("block_frames", [1, 32, 64, 100, 128, 256, 1024])
def test_music_is_the_same_to_the_bit_for_blocks_of(block_frames):
    out, stems, triggers = render(MUSIC, FRAMES, repeat(block_frames))
    assert np.array_equal(out, WHOLE[0])
    assert np.array_equal(stems, WHOLE[1])
    assert triggers == WHOLE[2]
    assert np.abs(out).max() > 0.1
    assert len(triggers) > 20


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 1500), min_size=1, max_size=60))
def test_music_is_the_same_to_the_bit_for_any_mixture_of_blocks(sizes):
    out, stems, triggers = render(MUSIC, FRAMES, chain.from_iterable(repeat(sizes)))
    assert np.array_equal(out, WHOLE[0])
    assert np.array_equal(stems, WHOLE[1])
    assert triggers == WHOLE[2]


unit = st.floats(0.0, 1.0, width=32)
frames = st.integers(0, 12_000)
patterns = st.integers(0, 2**32 - 1).map(
    lambda seed: PatternGrid.clipped(np.random.default_rng(seed).normal(0.3, 0.4, (32, 9, 3)))
)
commands = st.one_of(
    st.builds(Hit, st.integers(0, 8), unit),
    st.builds(Transport, st.sampled_from(Action)),
    st.builds(Pattern, patterns, st.sampled_from(When), st.integers(0, 99)),
    st.sampled_from(kit_sounds(2)),
    st.builds(
        Params,
        tempo_bpm=st.floats(20, 300),
        swing=unit,
        humanize=unit,
        density=unit,
        chaos=unit,
        drive=unit,
        master=unit,
        length_steps=st.floats(1, 32),
        level=st.tuples(*[unit] * 9),
        decay=st.tuples(*[unit] * 9),
    ),
)
streams = st.lists(st.builds(Stamped, commands, st.integers(1, 99), frames), max_size=25)


@settings(deadline=None, max_examples=25)
@given(streams, st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_any_stream_of_commands_sounds_the_same_for_any_blocks(stream, sizes):
    stream = [Stamped(Pattern(BUSY)), Stamped(Params(tempo_bpm=300.0)), Stamped(Transport(Action.START)), *stream]
    whole = render(stream, 12_288, repeat(128))
    split = render(stream, 12_288, chain.from_iterable(repeat(sizes)))
    assert np.array_equal(whole[0], split[0])
    assert np.array_equal(whole[1], split[1])
    assert whole[2] == split[2]
    assert np.isfinite(whole[0]).all()
    assert np.abs(whole[0]).max() <= 1.0


def test_a_silent_engine_hands_out_silence(player):
    assert not player.play(1000).any()
