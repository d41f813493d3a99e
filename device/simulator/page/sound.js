// Sound in this page, when the instrument has no sound card of its own to play on.
//
//   /sound ──WebSocket──> sound-line.js (worker) ──port──> sound-worklet.js (audio thread) ──> speakers
//
// States: "elsewhere" (another sink plays), "silent" (a browser wants a gesture first), "starting",
// "playing", "off" (muted here), "failed".

const FIRST_TARGET_MS = 60;

export class PageSound {
  /** changed() is called whenever state or numbers change */
  constructor(changed) {
    this.changed = changed;
    this.state = "elsewhere";
    this.numbers = {};
    this.heardAt = 0;
    this.trouble = "";
  }

  /** What the instrument says of its sink. */
  follow(audio) {
    const here = audio.sink === "browser";
    this.rate = audio.rate;
    if (here && this.state === "elsewhere") this.state = "silent";
    else if (!here && this.state !== "elsewhere") {
      this.stop();
      this.state = "elsewhere";
    } else return;
    this.changed();
  }

  get wantsGesture() {
    return this.state === "silent" || this.state === "failed";
  }

  /** Must be called from a gesture. */
  async start() {
    if (this.state === "starting" || this.state === "playing" || this.state === "elsewhere") return;
    this.state = "starting";
    this.changed();
    try {
      const context = await this.open();
      const node = new AudioWorkletNode(context, "latido-stream", {
        numberOfInputs: 0,
        outputChannelCount: [2],
        processorOptions: { rate: this.rate, targetMs: FIRST_TARGET_MS },
      });
      this.analyser = context.createAnalyser();
      this.analyser.fftSize = 2048;
      node.connect(this.analyser).connect(context.destination);
      node.port.onmessage = ({ data }) => this.take(data);
      this.line = new Worker("sound-line.js");
      this.line.onmessage = ({ data }) => this.told(data);
      const { port1, port2 } = new MessageChannel();
      node.port.postMessage({ port: port1 }, [port1]);
      this.line.postMessage({ port: port2 }, [port2]);
      this.line.postMessage({ open: `ws://${location.host}/sound` });
      await context.resume();
      this.state = "playing";
    } catch (error) {
      this.stop();
      this.state = "failed";
      this.trouble = String(error.message ?? error);
    }
    this.changed();
  }

  async open() {
    try {
      this.context = new AudioContext({ sampleRate: this.rate, latencyHint: "interactive" });
    } catch {
      this.context = new AudioContext({ latencyHint: "interactive" }); // the worklet resamples
    }
    this.context.onstatechange = () => {
      if (this.context?.state === "interrupted") this.state = "silent";
      this.changed();
    };
    await this.context.audioWorklet.addModule("sound-worklet.js");
    return this.context;
  }

  /** Muted here, or heard again. */
  async toggle() {
    if (this.state === "playing") {
      this.stop();
      this.state = "off";
      this.changed();
    } else await this.start();
  }

  stop() {
    this.line?.postMessage({ close: true });
    const line = this.line;
    setTimeout(() => line?.terminate(), 200);
    this.context?.close().catch(() => {});
    this.line = this.context = this.analyser = null;
    this.numbers = {};
  }

  /** After the tab slept, or the computer did. */
  wake() {
    if (this.state === "playing" && this.context?.state !== "running") this.context?.resume().catch(() => {});
  }

  told(message) {
    if (message.type === "stream" && !message.here) this.follow({ sink: message.sink, rate: message.rate });
  }

  take(numbers) {
    const peak = Math.max(numbers.peak, (this.numbers.peak ?? 0) * 0.8);
    const most = Math.max(numbers.peak, this.numbers.mostPeak ?? 0);
    this.numbers = { ...numbers, peak, mostPeak: most, at: performance.now() };
    this.changed();
  }

  get latencyMs() {
    const { context } = this;
    if (!context || this.numbers.fillMs === undefined) return null;
    return this.numbers.fillMs + 1000 * ((context.baseLatency || 0) + (context.outputLatency || 0));
  }

  /** frame that is heard now, or null when this page does not play */
  heardFrame(now) {
    if (this.state !== "playing" || !this.numbers.running) return null;
    const { context, numbers, rate } = this;
    const out = (context.baseLatency || 0) + (context.outputLatency || 0);
    return numbers.frame + ((now - numbers.at) / 1000 - out) * rate;
  }
}
