"""The ALSA sink over the real alsa-lib: its file plugin for a card, whose frames can be read, and a paced card of ours."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.audio.alsa import device_name
from device.errors import AudioError

pytest.importorskip("alsaaudio", reason="pyalsaaudio is not installed: pip install 'latido[pi]'")
pytestmark = pytest.mark.alsa

CONFIG = """
pcm.capture {{ type file; slave.pcm {{ type null }}; file "{folder}/card.raw"; format "raw" }}
pcm.silent {{ type null }}
pcm_type.paced {{ lib "{folder}/libpaced.so" }}
pcm.paced {{ type paced; file "{folder}/card.raw"; pulled "{folder}/card.pulled" }}
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


PULL = """
import sys, time
import numpy as np
from pathlib import Path
from device.audio.alsa import open_sink
from device.audio.sink import Format
folder = Path(sys.argv[1])
sink = open_sink("paced", Format(44100, 128, folder))
block = np.full((128, 2), 0.5, np.float32)

def play(seconds):
    started = time.monotonic()
    for _ in range(round(seconds * 44100 / 128)):
        sink.write(block)
    return time.monotonic() - started

assert play(1.0) > 0.9  # the card paces us
dry = sink.underruns
time.sleep(0.1)  # ten times what the queue holds
play(0.1)
assert sink.underruns > dry, "an underrun was not counted"
(folder / "card.pulled").touch()
play(0.05)
size = (folder / "card.raw").stat().st_size
assert play(1.0) > 0.9  # the clock paces us
assert (folder / "card.raw").stat().st_size == size
(folder / "card.pulled").unlink()
for _ in range(100):
    play(0.1)
    if (folder / "card.raw").stat().st_size > size:
        break
else:
    sys.exit("the card was not found again")
sink.close()
print(sink.name)
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


def test_a_card_that_runs_dry_or_is_pulled_out_is_counted_and_plays_again(alsa, tmp_path):
    source = Path(__file__).with_name("paced_card.c")
    compiler = [shutil.which("gcc") or "gcc", "-shared", "-fPIC", "-DPIC", "-Wall", "-Werror"]
    subprocess.run([*compiler, "-o", str(tmp_path / "libpaced.so"), str(source), "-lasound"], check=True)
    played = alsa("-c", PULL, str(tmp_path))
    assert played.stderr == ""
    assert played.stdout == "alsa paced\n"
    frames = np.fromfile(tmp_path / "card.raw", "<i4").reshape(-1, 2)  # the card takes 32 bits only
    assert set(np.unique(frames)) == {0, 1073741760}
    begun = np.flatnonzero((frames[1:, 0] != 0) & (frames[:-1, 0] == 0)) + 1
    assert len(begun) >= 3  # start, underrun, plugged in again
    for start in begun:
        assert not frames[start - 2 * 128 : start].any()  # each time on a full queue


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
