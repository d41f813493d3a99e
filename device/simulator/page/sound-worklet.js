// Plays the streamed sound: a ring of frames, read at a steady pace behind what arrives.
//
//      written (frame numbers of the audio process)
//   ────────────────────────────────────────────▶
//            ▲ read                            ▲ newest
//            └────────── fill ─────────────────┘   kept near ``target``
//
// The reading pace leans by at most half a percent towards the target, so two clocks that drift apart never
// meet. A fill that runs empty fades out, raises the target and starts again when it is reached; a long quiet
// time lowers it. A jump in frame numbers (audio started anew, blocks dropped, the tab slept) is a seam: what
// is left dies away, what follows fades in. Cubic interpolation, so any sound card's rate will do.

const RING = 1 << 17; // frames, 3 s
const FADE = 192; // frames, 4 ms
const LEAN = 0.005;
const LOWEST_MS = 25;
const HIGHEST_MS = 500;
const TOO_FAR_MS = 250; // so much beyond the target is not leant away but skipped
const PATIENCE_SECONDS = 10; // without trouble, before the target goes down a little
const REPORT_BLOCKS = 40; // of 128 frames: about nine times a second

class Stream extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.rate = processorOptions.rate;
    this.left = new Float32Array(RING);
    this.right = new Float32Array(RING);
    this.target = (processorOptions.targetMs * this.rate) / 1000;
    this.empty = 0;
    this.resyncs = 0;
    this.received = 0;
    this.played = 0;
    this.peak = 0;
    this.blocks = 0;
    this.lowest = Infinity;
    this.calm = 0;
    this.last = [0, 0]; // newest sample played
    this.restart(null);
    this.port.onmessage = ({ data }) => {
      if (data.port) data.port.onmessage = (event) => this.take(event.data);
      else if (data.samples) this.take(data.samples);
    };
  }

  /** forgets what it has; the next frames decide where it is */
  restart(frame) {
    this.tail = FADE; // what sounds now dies away instead of stopping dead
    this.newest = frame;
    this.read = frame;
    this.running = false;
    this.gain = 0;
    this.ending = false;
  }

  take(buffer) {
    const frame = Number(new DataView(buffer).getBigUint64(0, true));
    const samples = new Int16Array(buffer, 8);
    const count = samples.length >> 1;
    this.received += count;
    if (this.newest === null) this.restart(frame);
    const gap = frame - this.newest;
    if (gap < 0 || gap > this.rate / 2) {
      this.resyncs += 1;
      this.restart(frame);
    } else if (gap > 0) {
      this.resyncs += 1;
      this.fadeTail();
      for (let index = 0; index < gap; index += 1) this.put(this.newest + index, 0, 0);
    }
    const rise = gap === 0 ? 0 : FADE;
    for (let index = 0; index < count; index += 1) {
      const gain = index < rise ? index / rise : 1;
      this.put(frame + index, (samples[2 * index] / 32768) * gain, (samples[2 * index + 1] / 32768) * gain);
    }
    this.newest = frame + count;
    if (this.newest - this.read > RING - 1024) {
      this.resyncs += 1;
      this.restart(this.newest); // nobody listened for seconds
    }
  }

  put(frame, left, right) {
    this.left[frame & (RING - 1)] = left;
    this.right[frame & (RING - 1)] = right;
  }

  fadeTail() {
    const from = Math.max(this.newest - FADE, Math.ceil(this.read ?? this.newest));
    for (let frame = from; frame < this.newest; frame += 1) {
      const gain = (this.newest - frame) / FADE;
      this.left[frame & (RING - 1)] *= gain;
      this.right[frame & (RING - 1)] *= gain;
    }
  }

  process(_, [[left, right]]) {
    const frames = left.length;
    this.blocks += 1;
    if (this.newest !== null) this.play(left, right ?? left, frames);
    this.dieAway(left, right ?? left, frames);
    if (this.blocks % REPORT_BLOCKS === 0) this.report();
    return true;
  }

  /** a seam leaves the last sample behind, which sinks to nothing within FADE frames */
  dieAway(left, right, frames) {
    if (this.tail === 0) {
      if (this.running) this.last = [left[frames - 1], right[frames - 1]];
      return;
    }
    for (let index = 0; index < frames && this.tail > 0; index += 1, this.tail -= 1) {
      left[index] += (this.last[0] * this.tail) / FADE;
      right[index] += (this.last[1] * this.tail) / FADE;
    }
    if (this.tail === 0) this.last = [0, 0];
  }

  play(left, right, frames) {
    const fill = this.newest - this.read;
    if (!this.running) {
      if (fill < this.target) return;
      this.running = true;
      this.ending = false;
      this.gain = 0;
    }
    const beyond = fill - this.target;
    if (beyond > (TOO_FAR_MS * this.rate) / 1000) this.ending = true;
    const lean = Math.max(-LEAN, Math.min(LEAN, (beyond / this.rate) * 0.1));
    const pace = (this.rate / sampleRate) * (1 + lean);
    const last = this.newest - 3;
    for (let index = 0; index < frames; index += 1) {
      if (last - this.read < FADE) this.ending = true;
      if (this.ending) this.gain = Math.max(this.gain - 1 / FADE, 0);
      else this.gain = Math.min(this.gain + 1 / FADE, 1);
      if (this.ending && this.gain === 0) break;
      const whole = Math.floor(this.read);
      const share = this.read - whole;
      const l = cubic(this.left, whole, share) * this.gain;
      const r = cubic(this.right, whole, share) * this.gain;
      left[index] = l;
      right[index] = r;
      this.peak = Math.max(this.peak, Math.abs(l), Math.abs(r));
      this.read += pace;
      this.played += 1;
    }
    if (this.ending && this.gain === 0) this.stumble();
    else this.settle(frames);
  }

  /** faded out: either nothing is left, or too much had gathered */
  stumble() {
    this.running = false;
    if (this.newest - this.read > this.target) {
      this.read = this.newest - this.target;
      this.resyncs += 1;
    } else {
      this.empty += 1;
      this.target = Math.min(this.target * 1.4, (HIGHEST_MS * this.rate) / 1000);
    }
    this.calm = 0;
    this.lowest = Infinity;
  }

  settle(frames) {
    this.lowest = Math.min(this.lowest, this.newest - this.read);
    this.calm += frames / sampleRate;
    if (this.calm < PATIENCE_SECONDS) return;
    const spare = this.lowest - (LOWEST_MS * this.rate) / 1000;
    if (spare > 0) this.target = Math.max(this.target - spare * 0.3, (LOWEST_MS * this.rate) / 1000);
    this.calm = 0;
    this.lowest = Infinity;
  }

  report() {
    this.port.postMessage({
      frame: this.read,
      newest: this.newest,
      running: this.running,
      fillMs: this.newest === null ? 0 : ((this.newest - this.read) / this.rate) * 1000,
      targetMs: (this.target / this.rate) * 1000,
      empty: this.empty,
      resyncs: this.resyncs,
      received: this.received,
      played: this.played,
      peak: this.peak,
    });
    this.peak = 0;
  }
}

function cubic(ring, whole, share) {
  const a = ring[(whole - 1) & (RING - 1)];
  const b = ring[whole & (RING - 1)];
  const c = ring[(whole + 1) & (RING - 1)];
  const d = ring[(whole + 2) & (RING - 1)];
  return b + 0.5 * share * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)));
}

registerProcessor("latido-stream", Stream);
