/** Plays the tutor's audio: takes it from the queue at 16 kHz, slows it down and converts it to the rate of the device. */

import type { PlayerCommand, PlayerReport } from "./messages";
import { PlayerQueue, SAMPLE_RATE_HZ } from "./player-queue";
import { Resampler } from "./resampler";
import { Stretcher } from "./stretch";

/** Samples taken from the queue at once: 4 ms. */
const BLOCK = 64;
const REPORT_MS = 100;

class Player extends AudioWorkletProcessor {
  readonly #queue = new PlayerQueue();
  readonly #stretcher = new Stretcher(this.#queue);
  readonly #resampler = new Resampler(SAMPLE_RATE_HZ, sampleRate);
  readonly #block = new Float32Array(BLOCK);
  readonly #converted = new Float32Array(this.#resampler.capacity(BLOCK) + 128);
  #ready = 0;
  #sinceReport = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<PlayerCommand>) => {
      if (data.type === "pace") {
        this.#stretcher.setPace(data.pace);
        return;
      }
      if (data.generation > this.#queue.generation) this.#flush(data.generation);
      if (data.type === "push") this.#queue.push(data.generation, data.samples);
    };
  }

  #flush(generation: number): void {
    this.#report(0);
    this.#queue.flush(generation, !this.#stretcher.active);
    this.#stretcher.flush();
    this.#report(0);
  }

  override process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const channels = outputs[0] ?? [];
    const length = channels[0]?.length ?? 0;
    while (this.#ready < length) {
      this.#stretcher.read(this.#block);
      this.#ready += this.#resampler.push(this.#block, this.#converted.subarray(this.#ready));
    }
    let power = 0;
    for (let i = 0; i < length; i++) power += (this.#converted[i] as number) ** 2;
    for (const channel of channels) channel.set(this.#converted.subarray(0, length));
    this.#converted.copyWithin(0, length, this.#ready);
    this.#ready -= length;
    this.#sinceReport += length;
    if (this.#sinceReport * 1000 >= REPORT_MS * sampleRate) this.#report(Math.sqrt(power / Math.max(1, length)));
    return true;
  }

  #report(level: number): void {
    this.#sinceReport = 0;
    const perMs = SAMPLE_RATE_HZ / 1000;
    const { played } = this.#stretcher;
    const ahead = this.#queue.played - played;
    const report: PlayerReport = {
      generation: this.#queue.generation,
      playedMs: Math.round(played / perMs),
      waitingMs: Math.round((this.#queue.waiting + ahead) / perMs),
      playing: this.#queue.playing || ahead > 0,
      level,
      underruns: this.#queue.underruns,
    };
    this.port.postMessage(report);
  }
}

registerProcessor("nova-player", Player);
