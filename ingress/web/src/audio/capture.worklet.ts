/** Converts the microphone from the rate of the device to frames of 32 ms at 16 kHz. */

import { FRAME_SAMPLES, type Frame } from "./messages";
import { SAMPLE_RATE_HZ } from "./player-queue";
import { Resampler } from "./resampler";

const QUANTUM = 128;

class Capture extends AudioWorkletProcessor {
  readonly #resampler = new Resampler(sampleRate, SAMPLE_RATE_HZ);
  readonly #converted = new Float32Array(this.#resampler.capacity(QUANTUM));
  readonly #mono = new Float32Array(QUANTUM);
  #frame = new Int16Array(FRAME_SAMPLES);
  #length = 0;

  override process(inputs: Float32Array[][]): boolean {
    const channels = inputs[0] ?? [];
    this.#mono.fill(0);
    for (const channel of channels) {
      for (let i = 0; i < QUANTUM; i++)
        this.#mono[i] = (this.#mono[i] as number) + (channel[i] as number) / channels.length;
    }
    const count = this.#resampler.push(this.#mono, this.#converted);
    for (let i = 0; i < count; i++) {
      const value = Math.max(-1, Math.min(1, this.#converted[i] as number));
      this.#frame[this.#length++] = Math.round(value * 32767);
      if (this.#length === FRAME_SAMPLES) this.#send();
    }
    return true;
  }

  #send(): void {
    const message: Frame = { samples: this.#frame };
    this.port.postMessage(message, [this.#frame.buffer]);
    this.#frame = new Int16Array(FRAME_SAMPLES);
    this.#length = 0;
  }
}

registerProcessor("nova-capture", Capture);
