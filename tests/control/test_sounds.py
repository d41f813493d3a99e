"""Sounds come back from memory; what a slow model answers too late is not played."""

import numpy as np
import pytest

from device.control.offline import Offline
from device.control.sounds import SoundCache
from device.models.background import Inline, Rendered, SoundWish
from device.panel.events import ButtonPressed, ButtonReleased, ParameterSet


class Slow(Inline):
    """Answers are held back until they are let through."""

    holding = False

    def answers(self):
        return [] if self.holding else super().answers()


@pytest.fixture
def box(models):
    box = Offline(models)
    box.slow = Slow(models)
    box.control._worker = box.slow
    box.control._sounds._ask, box.control._rhythm._ask = box.slow.ask_sound, box.slow.ask_pattern
    box.control.step(box.now_ns)
    return box


def do(box, *events):
    for event in events:
        box.control.post(event)
    return box.control.step(box.now_ns)


def test_a_sound_and_a_pattern_that_were_only_tried_are_not_played_when_they_come_after_temp(box):
    sounds, pattern = list(box.control._delivery.sounds), do(box).pattern
    box.slow.holding = True
    do(box, ButtonPressed("TEMP"), ParameterSet("tone_x", 0.9), ParameterSet("x", 0.9))
    do(box, ButtonReleased("TEMP"))
    box.slow.holding = False
    do(box)
    assert do(box).pattern == pattern
    for said, before in zip(box.control._delivery.sounds, sounds, strict=True):
        assert said.layers is before.layers


def test_a_turn_is_heard_on_its_way_while_the_model_is_behind(box):
    """The first place of a turn has been rendered when the hand is further on: better than the sound from before."""
    voice = box.control.view.voice
    box.slow.holding = True
    do(box, ParameterSet("tone_x", 0.7))
    asked = box.control._sounds.wanted[voice]
    do(box, ParameterSet("tone_x", 0.9))
    held, box.slow._answers = box.slow._answers, []
    box.slow._answers = [answer for answer in held if isinstance(answer, Rendered) and answer.wish == asked]
    box.slow.holding = False
    do(box)
    assert box.control._delivery.sounds[voice].wish == asked


def wish(number):
    return SoundWish("kick", (float(number),))


def layers(kilobytes):
    return (np.zeros(kilobytes * 256, np.float32),)


def test_the_cache_drops_the_longest_unused_and_never_what_is_pinned():
    cache = SoundCache(limit_bytes=4 * 1024)
    cache.pinned = frozenset({wish(0)})
    for number in range(4):
        cache.put(wish(number), layers(1))
    assert cache.bytes == 4 * 1024
    assert cache.get(wish(1)) is not None
    cache.put(wish(4), layers(2))
    assert cache.bytes <= 4 * 1024
    assert [number for number in range(5) if cache.get(wish(number)) is not None] == [0, 1, 4]


def test_a_sound_that_is_put_again_counts_once():
    cache = SoundCache(limit_bytes=4 * 1024)
    for _ in range(9):
        cache.put(wish(0), layers(1))
    assert cache.bytes == 1024


def test_hours_of_turning_stay_within_the_limit():
    cache = SoundCache(limit_bytes=16 * 1024)
    for number in range(1000):
        cache.put(wish(number), layers(1 + number % 5))
        assert cache.bytes <= 16 * 1024
