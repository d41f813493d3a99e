"""The page's sound player, driven by hand: whatever happens to the stream, nothing clicks.

The worklet's file is loaded into a page with stand-ins for what an audio thread brings; a script feeds it a
sine and pulls blocks, so time is ours.
"""

import math

import pytest

pytestmark = pytest.mark.browser

SINE_HZ, LOUDNESS = 220.0, 0.5
STEEPEST = LOUDNESS * (2 * math.pi * SINE_HZ / 44100 + 1 / 192) * 1.35  # of sine and fade together, with some room

BENCH = """async (deviceRate) => {
  globalThis.AudioWorkletProcessor = class { constructor() { this.port = { postMessage: (m) => { globalThis.said = m; } }; } };
  globalThis.registerProcessor = (name, kind) => { globalThis.Kind = kind; };
  globalThis.sampleRate = deviceRate;
  if (!globalThis.Kind) await import("/sound-worklet.js");
  const stream = new Kind({ processorOptions: { rate: 44100, targetMs: 60 } });
  const out = [];
  let frame = 0, owed = 0;
  const feed = (frames, from = frame) => {
    for (let start = from; start < from + frames; start += 384) {
      const buffer = new ArrayBuffer(8 + 384 * 4);
      new DataView(buffer).setBigUint64(0, BigInt(start), true);
      const samples = new Int16Array(buffer, 8);
      for (let i = 0; i < 384; i += 1)
        samples[2 * i] = samples[2 * i + 1] = 32767 * LOUD * Math.sin(2 * Math.PI * HZ * (start + i) / 44100);
      stream.take(buffer);
    }
    frame = from + frames;
  };
  const pull = (blocks) => {
    for (let b = 0; b < blocks; b += 1) {
      const left = new Float32Array(128), right = new Float32Array(128);
      stream.process([], [[left, right]]);
      out.push(...left);
    }
  };
  const flow = (seconds) => {  // as the world does: both at their own pace
    for (let b = 0; b < seconds * deviceRate / 128; b += 1) {
      owed += 128 * 44100 / deviceRate;
      while (owed >= 384) { feed(384); owed -= 384; }
      pull(1);
    }
  };
  SCRIPT;
  stream.report();
  let steepest = 0, loudest = 0, crossings = 0, heard = 0;
  for (let i = 1; i < out.length; i += 1) {
    steepest = Math.max(steepest, Math.abs(out[i] - out[i - 1]));
    loudest = Math.max(loudest, Math.abs(out[i]));
  }
  const tail = out.slice(-deviceRate / 4);
  for (let i = 1; i < tail.length; i += 1) {
    if (tail[i - 1] < 0 && tail[i] >= 0) crossings += 1;
    heard += tail[i] ** 2;
  }
  return { ...globalThis.said, steepest, loudest, hz: crossings * 4, rms: Math.sqrt(heard / tail.length) };
}""".replace("LOUD", str(LOUDNESS)).replace("HZ", str(SINE_HZ))


@pytest.fixture(scope="module")
def play(chromium, panel):
    """play(script, device_rate) gives what was heard and what the player says."""
    page = chromium.new_page()
    page.goto(panel.server.address + "icon.svg")  # the same origin, without the panel

    def run(script, device_rate=44100):
        page.goto(panel.server.address + "icon.svg")
        return page.evaluate(BENCH.replace("SCRIPT", script), device_rate)

    yield run
    page.close()


@pytest.mark.parametrize("device_rate", [22050, 44100, 48000, 96000])
def test_a_steady_stream_is_played_at_its_own_pitch_on_any_sound_card(play, device_rate):
    heard = play("flow(3)", device_rate)
    assert heard["empty"] == heard["resyncs"] == 0
    assert heard["hz"] == pytest.approx(SINE_HZ, abs=5)
    assert heard["rms"] == pytest.approx(LOUDNESS / math.sqrt(2), rel=0.02)
    assert heard["loudest"] == pytest.approx(LOUDNESS, rel=0.02)
    assert heard["steepest"] <= STEEPEST * max(44100 / device_rate, 1)


@pytest.mark.parametrize(
    "trouble",
    [
        "feed(384, 200000)",  # blocks were lost
        "feed(384, 12345)",  # the audio process began anew
        "feed(4096, 1e9)",
        "pull(400)",  # nothing came for a second
        "feed(100000)",  # the tab slept, then all comes at once
        "feed(300000)",
        "for (let i = 0; i < 20; i += 1) { pull(13); feed(384); }",
    ],
)
def test_no_trouble_of_the_stream_clicks_and_sound_comes_back(play, trouble):
    heard = play(f"flow(1.0137); {trouble}; flow(2)")
    assert heard["steepest"] <= STEEPEST
    assert heard["empty"] + heard["resyncs"] > 0
    assert heard["rms"] == pytest.approx(LOUDNESS / math.sqrt(2), rel=0.05)


def test_a_short_gap_inside_the_buffer_is_a_short_silence(play):
    heard = play("flow(1); const f = stream.newest; feed(384, f + 128); flow(1)")
    assert heard["steepest"] <= STEEPEST
    assert heard["resyncs"] == 1
    assert heard["empty"] == 0


def test_a_stream_that_stumbles_is_kept_farther_behind_and_a_calm_one_comes_nearer(play):
    assert play("flow(1); pull(200); flow(1)")["targetMs"] > 60
    assert play("flow(25)")["targetMs"] < 60


def test_two_clocks_that_differ_never_meet(play):
    heard = play("for (let i = 0; i < 30000; i += 1) { if (i % 3 === 0) feed(i % 1002 ? 384 : 384 * 2); pull(1); }")
    assert heard["empty"] == 0
    assert heard["fillMs"] == pytest.approx(heard["targetMs"], abs=80)
