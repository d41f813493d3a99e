"""A sound slot is written again only when nothing can still be playing from it."""

from dataclasses import replace

import numpy as np
import pytest

from device.audio.memory import make_slots, map_slots
from device.audio.slots import SlotPool
from device.engine.records import SLOT_COUNT, SLOT_FRAMES, Report
from device.errors import LinkError

IDLE = Report(epoch=7, applied=0)


@pytest.fixture
def slots():
    return np.zeros((SLOT_COUNT, SLOT_FRAMES), np.float32)


def layers(count=2, frames=100):
    return [np.full(frames, 0.1 * (number + 1), np.float32) for number in range(count)]


def bits(*slots):
    return sum(1 << slot for slot in slots)


def test_nothing_is_free_before_the_first_report(slots):
    assert SlotPool(slots).write(layers()) is None


def test_layers_are_copied_into_different_free_slots(slots):
    pool = SlotPool(slots)
    pool.heard(IDLE)
    written, frames = pool.write(layers(3, frames=50))
    assert len(set(written)) == 3
    assert frames == (50, 50, 50)
    np.testing.assert_allclose([slots[slot, 49] for slot in written], [0.1, 0.2, 0.3], rtol=1e-6)


def test_a_restarted_control_does_not_write_where_the_beat_plays(slots):
    pool = SlotPool(slots)
    pool.heard(replace(IDLE, slots_in_use=bits(0, 1, 2)))
    written = [pool.write(layers(1))[0][0] for _ in range(SLOT_COUNT - 3)]
    assert not {0, 1, 2} & set(written)
    assert pool.write(layers(1)) is None


def test_a_sound_still_on_its_way_keeps_its_slots(slots):
    pool = SlotPool(slots)
    pool.heard(IDLE)
    written, _ = pool.write(layers(2))
    pool.heard(IDLE)  # between write and send
    pool.announced(written, sequence=5)
    pool.heard(replace(IDLE, applied=4))
    assert pool.free == SLOT_COUNT - 2
    pool.heard(replace(IDLE, applied=5, slots_in_use=bits(*written)))  # taken, and playing
    assert pool.free == SLOT_COUNT - 2
    pool.heard(replace(IDLE, applied=9))
    assert pool.free == SLOT_COUNT


def test_the_sequence_may_wrap(slots):
    pool = SlotPool(slots)
    pool.heard(replace(IDLE, applied=0xFFFFFFFE))
    written, _ = pool.write(layers(1))
    pool.announced(written, sequence=1)
    pool.heard(replace(IDLE, applied=0xFFFFFFFF))
    assert pool.free == SLOT_COUNT - 1
    pool.heard(replace(IDLE, applied=2))
    assert pool.free == SLOT_COUNT


def test_another_audio_process_plays_from_none_of_our_slots(slots):
    pool = SlotPool(slots)
    pool.heard(IDLE)
    pool.write(layers(2))
    pool.announced(pool.write(layers(2))[0], sequence=900)
    pool.heard(replace(IDLE, epoch=8))
    assert pool.free == SLOT_COUNT


def test_a_slot_is_rested_before_it_is_written_again(slots):
    pool = SlotPool(slots)
    pool.heard(IDLE)
    first, _ = pool.write(layers(1))
    pool.announced(first, 1)
    pool.heard(replace(IDLE, applied=1))
    assert all(pool.write(layers(1))[0] != first for _ in range(SLOT_COUNT - 1))


@pytest.mark.parametrize("wrong", [[], layers(5), [np.zeros((10, 2), np.float32)], layers(1, SLOT_FRAMES + 1)])
def test_layers_that_do_not_fit_are_refused_in_one_sentence(slots, wrong):
    pool = SlotPool(slots)
    pool.heard(IDLE)
    with pytest.raises(LinkError, match="layer"):
        pool.write(wrong)
    assert pool.free == SLOT_COUNT


def test_what_control_writes_audio_reads_and_only_reads():
    descriptor, here = make_slots()
    there = map_slots(descriptor)
    there[3, 5] = 0.25
    assert here[3, 5] == np.float32(0.25)
    assert not here.flags.writeable
