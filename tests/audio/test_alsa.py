"""The ALSA sink over the real alsa-lib, with its file plugin for a card: every frame it took can be read."""

import subprocess
import sys

import numpy as np
import pytest

from device.audio.alsa import device_name
from device.errors import AudioError

pytest.importorskip("alsaaudio", reason="pyalsaaudio is not installed: pip install 'latido[pi]'")
pytestmark = pytest.mark.alsa

CONFIG = """
pcm.capture {{ type file; slave.pcm {{ type null }}; file "{folder}/card.raw"; format "raw" }}
pcm.silent {{ type null }}
ctl.silent {{ type hw; card 0 }}
"""
PLAY = """
import sys
import numpy as np
from pathlib import Path
from device.audio.alsa import open_sink
from device.audio.sink import Format
from device.errors import AudioError
form = Format(int(sys.argv[2]), 128, Path("."), card_wait_seconds=0.0)
try:
    sink = open_sink(sys.argv[1], form)
except AudioError as error:
    sys.exit(str(error))
for number in range(150):
    sink.write(np.full((128, 2), number / 150, np.float32))
sink.close()
sink.close()
print(sink.name, sink.latency_ms, sink.underruns)
"""


@pytest.fixture
def alsa(tmp_path):
    """Runs Python in a process whose alsa-lib knows the PCMs of CONFIG and no others."""
    (tmp_path / "asound.conf").write_text(CONFIG.format(folder=tmp_path))

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            env={"ALSA_CONFIG_PATH": str(tmp_path / "asound.conf"), "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_every_block_reaches_the_card_after_a_queue_of_silence(alsa, tmp_path):
    played = alsa("-c", PLAY, "capture", "44100")
    assert played.stderr == ""
    name, latency_ms, underruns = played.stdout.rsplit(maxsplit=2)
    assert name == "alsa capture"
    assert float(latency_ms) == pytest.approx(3 * 128 / 44.1, rel=0.01)
    assert underruns == "0"
    frames = np.fromfile(tmp_path / "card.raw", "<i2").reshape(-1, 2)
    assert len(frames) % 128 == 0
    assert not frames[: 2 * 128].any()  # the queue was filled before it started
    np.testing.assert_array_equal(frames[:, 0], frames[:, 1])
    blocks = frames[2 * 128 :, 0].reshape(-1, 128)
    np.testing.assert_array_equal(blocks, np.rint(np.arange(150)[:, None] / 150 * 32767) + np.zeros((1, 128)))


@pytest.mark.parametrize("device", ["Nope", "hw:CARD=Nope"])
def test_a_card_that_is_not_there_is_one_sentence_with_the_way_out(alsa, device):
    ended = alsa("-c", PLAY, device, "44100")
    assert ended.returncode == 1
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith(f"ALSA cannot open {device} (")
    assert sentence.endswith("cards here: none; name one, or --sink auto")


def test_no_card_at_all_is_one_sentence(alsa):
    ended = alsa("-c", PLAY, "", "44100")
    assert ended.stderr == "no sound card here: plug one in, or --sink auto\n"


def test_the_audio_process_plays_on_alsa_and_says_so(alsa, tmp_path):
    played = alsa("-m", "device.audio.clicks", "--sink", "alsa:capture", "--seconds", "1")
    assert played.stderr == ""
    assert played.stdout.startswith("alsa capture (alsa was asked for), 8.7 ms")
    assert np.fromfile(tmp_path / "card.raw", "<i2").max() > 1000


def test_the_audio_process_ends_with_one_sentence_when_the_card_is_not_there(alsa, tmp_path):
    ended = alsa("-m", "device.audio.process", "--runtime", str(tmp_path), "--sink", "alsa:Nope", "--card-wait", "0")
    assert ended.returncode == 1
    assert ended.stderr.startswith("latido audio: ALSA cannot open Nope")
    assert ended.stderr.count("\n") == 1


def test_a_card_is_named_never_numbered():
    cards = ["vc4hdmi0", "Headphones", "IQaudIODAC"]
    assert device_name("", cards) == "hw:CARD=IQaudIODAC"
    assert device_name("Headphones", cards) == "hw:CARD=Headphones"
    assert device_name("plughw:CARD=Other", cards) == "plughw:CARD=Other"
    assert device_name("", cards[:1]) == "hw:CARD=vc4hdmi0"
    with pytest.raises(AudioError, match="plug one in"):
        device_name("", [])
