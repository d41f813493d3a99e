import threading

import numpy as np
import pytest

from device.contract.pattern import GRID_SHAPE, PatternGrid
from device.errors import ModelError
from device.models.background import Background, Decoded, Encoded, Failed, Inline, PatternWish, Rendered, SoundWish

PATIENCE = 30.0


class Scripted:
    """Models that note what they are asked and stop at a gate, so that a test decides what has begun."""

    def __init__(self):
        self.asked = []
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)

    def _run(self, *asked):
        self.asked.append(asked)
        self.begun.release()
        assert self.gate.wait(PATIENCE)

    def decode_pattern(self, latent, style):
        self._run("pattern", latent[0])
        return PatternGrid(np.full(GRID_SHAPE, 0.25, np.float32))

    def encode_pattern(self, grid, style):
        self._run("encode", float(grid.levels[0, 0]))
        return np.array([1.0, 2.0], np.float32)

    def render_sound(self, wish):
        self._run("sound", wish.latent[0])
        if wish.latent[0] < 0:
            raise ModelError("this latent cannot be rendered")
        if wish.sound_class == "unforeseen":
            raise ZeroDivisionError("nobody thought of this")
        return (np.zeros(8, np.float32),)


@pytest.fixture
def models():
    return Scripted()


@pytest.fixture
def worker(models):
    with Background(models) as worker:
        yield worker
        models.gate.set()


def pattern(number):
    return PatternWish((float(number),), (1.0,))


def sound(number, sound_class="kick"):
    return SoundWish(sound_class, (float(number),))


def collected(worker, count):
    answers, pause = [], threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        answers += worker.answers()
        if len(answers) >= count:
            return answers
        pause.wait(0.01)
    raise AssertionError(f"{len(answers)} answers, {count} expected")


def busy(worker, models):
    """Give the thread something that lasts until the gate opens."""
    worker.ask_pattern(pattern(0))
    assert models.begun.acquire(timeout=PATIENCE)


def test_a_wish_is_answered_with_itself(worker, models):
    models.gate.set()
    worker.ask_pattern(pattern(7))
    (answer,) = collected(worker, 1)
    assert isinstance(answer, Decoded)
    assert answer.wish == pattern(7)


def test_only_the_newest_pattern_is_decoded(worker, models):
    busy(worker, models)
    for number in (1, 2, 3):
        worker.ask_pattern(pattern(number))
    models.gate.set()
    assert [answer.wish for answer in collected(worker, 2)] == [pattern(0), pattern(3)]


def test_only_the_newest_sound_of_each_voice_is_rendered(worker, models):
    busy(worker, models)
    for number in (1, 2, 3):
        worker.ask_sound(4, sound(number))
        worker.ask_sound(5, sound(10 * number))
    models.gate.set()
    rendered = [answer for answer in collected(worker, 3) if isinstance(answer, Rendered)]
    assert {answer.voice: answer.wish for answer in rendered} == {4: sound(3), 5: sound(30)}


def test_patterns_come_before_sounds_and_encoding_between(worker, models):
    busy(worker, models)
    worker.ask_sound(0, sound(1))
    worker.ask_encode(PatternGrid.empty(), (1.0,))
    worker.ask_pattern(pattern(2))
    models.gate.set()
    kinds = [type(answer) for answer in collected(worker, 4)]
    assert kinds == [Decoded, Decoded, Encoded, Rendered]


def test_the_voice_touched_last_is_rendered_first(worker, models):
    busy(worker, models)
    for voice in range(9):
        worker.ask_sound(voice, sound(voice))
    worker.ask_sound(3, sound(33))
    models.gate.set()
    voices = [answer.voice for answer in collected(worker, 10)[1:]]
    assert voices[0] == 3
    assert sorted(voices) == list(range(9))


def test_a_voice_that_never_rests_does_not_starve_the_others(models):
    with Background(models) as worker:
        busy(worker, models)
        for voice in range(9):
            worker.ask_sound(voice, sound(voice))
        served, turning = [], Turning(worker, models)
        models.gate.set()
        while len(set(served)) < 9:
            turning.turn()
            served += [answer.voice for answer in worker.answers() if isinstance(answer, Rendered)]
            assert turning.turns < 100_000


class Turning:
    """A hand that turns voice 0's knob without end."""

    def __init__(self, worker, models):
        self.worker, self.models, self.turns = worker, models, 0

    def turn(self):
        self.turns += 1
        self.worker.ask_sound(0, sound(self.turns))
        self.models.begun.acquire(timeout=0.01)


def test_an_encoded_pattern_says_where_it_lies(worker, models):
    models.gate.set()
    grid = PatternGrid(np.full(GRID_SHAPE, 0.5, np.float32))
    worker.ask_encode(grid, (1.0,))
    assert collected(worker, 1) == [Encoded(grid, (1.0, 2.0))]


def test_a_failure_is_an_answer_and_the_thread_goes_on(worker, models):
    models.gate.set()
    worker.ask_sound(0, sound(-1))
    assert collected(worker, 1) == [Failed("this latent cannot be rendered")]
    worker.ask_sound(0, sound(1, "unforeseen"))
    (answer,) = collected(worker, 1)
    assert isinstance(answer, Failed)
    assert "nobody thought of this" in answer.text
    worker.ask_pattern(pattern(1))
    assert isinstance(collected(worker, 1)[0], Decoded)


def test_closing_forgets_what_waits_and_ends_the_thread(models):
    worker = Background(models)
    busy(worker, models)
    for voice in range(9):
        worker.ask_sound(voice, sound(voice))
    closer = threading.Thread(target=worker.close)
    closer.start()
    models.gate.set()
    closer.join(PATIENCE)
    assert not closer.is_alive()
    worker.close()
    assert len(models.asked) <= 2
    assert "models" not in {thread.name for thread in threading.enumerate()}


def test_inline_answers_in_the_order_asked(models):
    models.gate.set()
    inline = Inline(models)
    inline.ask_sound(2, sound(5))
    inline.ask_pattern(pattern(1))
    inline.ask_encode(PatternGrid.empty(), (1.0,))
    inline.ask_sound(2, sound(-5))
    assert [type(answer) for answer in inline.answers()] == [Rendered, Decoded, Encoded, Failed]
    assert inline.answers() == []
    inline.close()
