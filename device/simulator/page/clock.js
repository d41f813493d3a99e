// Where the music is that you hear now, in steps, from frames told thirty times a second.
//
// Messages come late, never early: so the newest frame is the upper envelope of what was told, and the frame
// at which step 0 would have begun is the lower envelope. Both lean slowly towards what they hear, so drift
// and tempo changes are followed without a jump an eye would see.

const LEAN_PER_SECOND = 0.25; // share of the error that is let in
const SNAP_STEPS = 0.75;

export class BeatClock {
  constructor() {
    this.rate = 44100;
    this.tempo = 120;
    this.offset = null; // frames at page time zero
    this.anchor = null; // frame of step 0
    this.toldAt = 0;
    this.playing = false;
    this.heardBehind = () => 0; // frames between rendered and heard
  }

  get framesPerStep() {
    return (this.rate * 60) / (this.tempo * 4);
  }

  rendered(now = performance.now()) {
    return this.offset === null ? 0 : this.offset + (now * this.rate) / 1000;
  }

  heard(now = performance.now()) {
    return this.rendered(now) - this.heardBehind();
  }

  /** steps since start, with fraction, at this frame */
  place(frame) {
    return this.anchor === null || !this.playing ? 0 : Math.max((frame - this.anchor) / this.framesPerStep, 0);
  }

  take(state, changed) {
    const now = performance.now();
    this.rate = state.audio.rate || this.rate;
    const seconds = Math.min((now - this.toldAt) / 1000, 1);
    this.toldAt = now;
    const lean = 1 - Math.exp(-LEAN_PER_SECOND * seconds);
    const offset = state.frame - (now * this.rate) / 1000;
    const jumped = this.offset === null || Math.abs(offset - this.offset) > this.rate / 2;
    this.offset = jumped || offset > this.offset ? offset : this.offset + (offset - this.offset) * lean;
    if (state.tempo && state.tempo !== this.tempo) {
      const place = this.place(state.frame);
      this.tempo = state.tempo;
      if (this.anchor !== null) this.anchor = state.frame - place * this.framesPerStep;
    }
    if (!state.playing) {
      this.playing = false;
      this.anchor = null;
      return;
    }
    const anchor = state.frame - state.step * this.framesPerStep;
    if (this.anchor === null || !this.playing || jumped || Math.abs(anchor - this.anchor) > (1 + SNAP_STEPS) * this.framesPerStep) {
      this.anchor = anchor;
    } else if (changed.has("step")) {
      this.anchor = anchor < this.anchor ? anchor : this.anchor + (anchor - this.anchor) * lean;
    }
    this.playing = true;
  }
}
