"""Every sink takes blocks in time, says when it ran dry, and is named in one plain line."""

import os
import wave

import numpy as np
import pytest

from device.audio import sink as sinks
from device.audio.browser import NEWEST_BLOCKS, BrowserTap
from device.audio.card import CardSink
from device.audio.pace import SECOND_NS, Pace
from device.audio.samples import Samples
from device.audio.sink import Format, open_sink
from device.audio.wav import WavSink
from device.errors import AudioError

RATE, BLOCK = 44100, 128


@pytest.fixture
def form(tmp_path):
    return Format(RATE, BLOCK, tmp_path, card_wait_seconds=0.0)


class HandClock:
    """Time that moves when told to, or when somebody sleeps."""

    def __init__(self):
        self.ns = 5 * SECOND_NS

    def now_ns(self):
        return self.ns

    def now(self):
        return self.ns / SECOND_NS

    def sleep(self, seconds):
        self.ns += round(seconds * SECOND_NS)


def block(value=0.5):
    return np.full((BLOCK, 2), value, np.float32)


def test_the_pace_plays_a_second_of_blocks_in_a_second():
    clock = HandClock()
    pace = Pace(RATE, BLOCK, now_ns=clock.now_ns, sleep=clock.sleep)
    started = clock.now()
    margins = [pace.step() for _ in range(RATE * 60 // BLOCK)]
    assert clock.now() - started == pytest.approx(60.0, abs=2 * BLOCK / RATE)
    assert min(margins) >= BLOCK  # none late
    assert pace.underruns == 0


def test_a_block_that_comes_with_less_than_one_block_left_is_late_and_a_dry_queue_is_an_underrun():
    clock = HandClock()
    pace = Pace(RATE, BLOCK, now_ns=clock.now_ns, sleep=clock.sleep)
    for _ in range(10):
        pace.step()
    clock.sleep(2.5 * BLOCK / RATE)  # three were queued
    assert 0 < pace.step() < BLOCK
    assert pace.underruns == 0
    clock.sleep(10 * BLOCK / RATE)
    assert pace.step() == 0
    assert pace.underruns == 1
    before = clock.now()
    for _ in range(5):
        pace.step()  # no burst to catch up
    assert clock.now() - before == pytest.approx(5 * BLOCK / RATE, rel=0.01)


@pytest.mark.parametrize("bits", [16, 32])
def test_full_scale_becomes_full_scale_and_beyond_is_clipped(bits):
    samples = Samples(5, bits)
    levels = np.array([-2.0, -1.0, 0.0, 1.0, 2.0], np.float32)
    integers = np.frombuffer(samples.fill(np.stack([levels, levels], axis=1)), f"<i{bits // 8}").reshape(5, 2)
    highest = {16: 2**15 - 1, 32: 2**31 - 128}[bits]
    np.testing.assert_array_equal(integers[:, 0], [-highest, -highest, 0, highest, highest])
    np.testing.assert_array_equal(integers[:, 0], integers[:, 1])


def test_a_wav_file_holds_every_block(form, tmp_path):
    sink = WavSink(tmp_path / "beat.wav", form, paced=False)
    for number in range(100):
        sink.write(block(number / 100))
    sink.close()
    sink.close()
    with wave.open(str(tmp_path / "beat.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 2, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, BLOCK, 2)
    np.testing.assert_array_equal(samples[:, 0, 0], np.rint(np.arange(100) / 100 * 32767))


def test_a_wav_file_can_be_read_while_it_grows(form, tmp_path):
    sink = WavSink(tmp_path / "beat.wav", form, paced=False)
    for _ in range(RATE // BLOCK):
        sink.write(block())
    with wave.open(str(tmp_path / "beat.wav")) as file:
        assert RATE // 2 <= file.getnframes() <= RATE
        assert len(file.readframes(file.getnframes())) == 4 * file.getnframes()
    sink.close()


def test_a_file_that_exists_is_not_overwritten(form, tmp_path):
    (tmp_path / "beat.wav").write_text("mine")
    sink = WavSink(tmp_path / "beat.wav", form, paced=False)
    sink.close()
    assert sink.name == f"wav {tmp_path / 'beat-2.wav'}"
    assert (tmp_path / "beat.wav").read_text() == "mine"


def test_the_beat_goes_on_when_the_disk_is_full(form, tmp_path):
    sink = WavSink(tmp_path / "beat.wav", form, paced=False)
    sink.write(block())
    os.dup2(os.open("/dev/full", os.O_WRONLY), sink._file.fileno())
    for _ in range(RATE // BLOCK):
        assert sink.write(block()) == BLOCK
    assert sink._file.closed
    sink.close()


def test_a_tap_hears_what_the_browser_sink_plays_and_sees_what_it_missed(form, tmp_path):
    sink, why = open_sink("browser", form)
    assert (sink.name, why) == ("browser", "browser was asked for")
    sink.write(block())  # nobody listens
    tap = BrowserTap(tmp_path)
    assert tap.read() == []
    sink.write(block(1.0))
    sink.write(block(-1.0))
    first, second = tap.read()
    assert (first.frame, second.frame) == (BLOCK, 2 * BLOCK)
    assert set(np.frombuffer(first.samples, "<i2")) == {32767}
    assert len(second.samples) == BLOCK * 4
    newer = BrowserTap(tmp_path)
    sink.write(block())
    assert tap.read() == []
    assert not tap.alive
    assert len(newer.read()) == 1
    tap.close()
    sink.close()
    sink.close()
    assert newer.read() == []
    assert not newer.alive
    newer.close()


def test_a_tap_that_does_not_read_never_holds_the_beat_up(form, tmp_path, monkeypatch):
    sink, _ = open_sink("browser", form)
    sink._pace.step = lambda: BLOCK  # as fast as it goes
    tap = BrowserTap(tmp_path)
    for _ in range(2000):
        sink.write(block())
    blocks = tap.read()
    assert 0 < len(blocks) <= NEWEST_BLOCKS
    sink.write(block())
    assert [entry.frame for entry in tap.read()] == [2000 * BLOCK]
    tap.close()
    sink.close()


def test_no_browser_sink_is_said_in_one_sentence(tmp_path):
    with pytest.raises(AudioError, match="start the audio process with --sink browser"):
        BrowserTap(tmp_path)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("jazz", "no sink named 'jazz': use auto, alsa, portaudio, browser, wav, null"),
        ("wav", "needs a file"),
        ("wav:/nowhere/at/all.wav", "cannot write /nowhere/at/all.wav"),
        ("portaudio:No Such Card", "PortAudio"),
    ],
)
def test_a_sink_that_was_named_and_is_not_there_is_one_sentence(form, asked, said):
    with pytest.raises(AudioError, match=said) as error:
        open_sink(asked, form)
    assert "\n" not in str(error.value)


def test_auto_falls_back_and_says_why(form, monkeypatch, tmp_path):
    monkeypatch.setattr(sinks, "PI_MODEL", tmp_path / "model")
    (tmp_path / "model").write_text("Raspberry Pi Zero 2 W Rev 1.0\0")
    monkeypatch.setattr(sinks, "_opener", _only("browser"))
    sink, why = open_sink("auto", form)
    assert sink.name == "browser"
    assert why == "browser, because there is no alsa and there is no portaudio"
    sink.close()


def _only(name):
    real = sinks._opener

    def opener(wanted):
        def refuse(detail, form):
            raise AudioError(f"there is no {wanted}: buy one")

        return real(wanted) if wanted == name else refuse

    return opener


class PullableCard:
    """A card on a cable."""

    name, latency_ms = "alsa hw:CARD=Test", 8.7

    def __init__(self, cable):
        if not cable["in"]:
            raise AudioError("no card")
        self.cable, self.underruns = cable, 0

    def play(self, samples):
        if not self.cable["in"]:
            raise AudioError("gone")
        self.cable["played"] += 1
        return 2 * BLOCK

    def close(self):
        pass


def test_a_card_that_is_pulled_out_leaves_the_beat_in_time_and_is_found_again(form, monkeypatch):
    clock, cable = HandClock(), {"in": True, "played": 0}
    monkeypatch.setattr(
        "device.audio.card.Pace", lambda rate, frames: Pace(rate, frames, now_ns=clock.now_ns, sleep=clock.sleep)
    )
    sink = CardSink(lambda: PullableCard(cable), form, now=clock.now, sleep=clock.sleep)
    sink.write(block())
    cable["in"] = False
    before = clock.now()
    for _ in range(RATE // BLOCK):
        sink.write(block())
    assert clock.now() - before == pytest.approx(1.0, abs=0.02)
    assert sink.underruns == 1
    cable["in"] = True
    for _ in range(5 * RATE // BLOCK):
        if cable["played"] > 1:
            break
        sink.write(block())
    assert cable["played"] > 1
    assert sink.underruns == 1
    sink.close()
    sink.close()


def test_a_card_may_come_up_late_at_boot(form):
    clock, cable = HandClock(), {"in": False, "played": 0}

    def sleep(seconds):
        clock.sleep(seconds)
        cable["in"] = clock.now() > 9.0

    sink = CardSink(lambda: PullableCard(cable), form, wait_seconds=10.0, now=clock.now, sleep=sleep)
    assert sink.name == "alsa hw:CARD=Test"
