/**
 * The microphone and the loudspeaker of a conversation: one AudioContext at the rate of the device.
 *
 * The context is created in the learner's tap, because browsers allow sound only then.
 */

import captureUrl from "./capture.worklet.ts?worker&url";
import type { Frame, PlayerCommand, PlayerReport } from "./messages";
import playerUrl from "./player.worklet.ts?worker&url";

/** Share of the volume that remains while the learner may be interrupting. */
const DUCKED = 0.2;

/** Why the microphone cannot be used. `blocked`: the browser remembers the refusal. */
export type MicrophoneError = "blocked" | "dismissed" | "missing" | "busy" | "unsupported";

export interface MicrophoneSettings {
  readonly deviceId: string | null;
  /** Turns echo cancellation, noise suppression and gain control off. */
  readonly raw: boolean;
}

export interface EngineEvents {
  frame(samples: Int16Array<ArrayBuffer>): void;
  played(report: PlayerReport): void;
  /** The device was unplugged or taken away. */
  microphoneLost(): void;
}

export class AudioEngine {
  readonly #context: AudioContext;
  readonly #gain: GainNode;
  readonly #events: EngineEvents;
  #player: AudioWorkletNode | null = null;
  #capture: AudioWorkletNode | null = null;
  #stream: MediaStream | null = null;
  #source: MediaStreamAudioSourceNode | null = null;
  #volume = 1;
  #muted = false;
  #waiting: PlayerCommand[] = [];

  /** Must be called in the handler of a tap or key. */
  constructor(events: EngineEvents) {
    this.#events = events;
    // The silent switch of an iPhone mutes a page that only plays.
    if (navigator.audioSession !== undefined) navigator.audioSession.type = "play-and-record";
    this.#context = new AudioContext({ latencyHint: "interactive" });
    void this.#context.resume();
    this.#gain = this.#context.createGain();
    this.#gain.connect(this.#context.destination);
  }

  /** `suspended` or `interrupted` contexts need a tap; see `resume`. */
  get running(): boolean {
    return this.#context.state === "running";
  }

  get outputLatencyMs(): number {
    const latency = this.#context.outputLatency;
    return Number.isFinite(latency) ? latency * 1000 : 0;
  }

  onStateChange(handler: () => void): void {
    this.#context.onstatechange = handler;
  }

  /** `resume` of an interrupted context breaks it on iOS; only a suspended one is resumed. */
  async resume(): Promise<void> {
    if (this.#context.state === "suspended") await this.#context.resume();
  }

  async startPlayer(): Promise<void> {
    await this.#context.audioWorklet.addModule(playerUrl);
    const player = new AudioWorkletNode(this.#context, "nova-player", { numberOfInputs: 0, outputChannelCount: [1] });
    player.port.onmessage = ({ data }: MessageEvent<PlayerReport>) => this.#events.played(data);
    player.connect(this.#gain);
    this.#player = player;
    for (const command of this.#waiting) this.#command(command);
    this.#waiting = [];
  }

  /** Opens the microphone, or another one in its place. */
  async startMicrophone(settings: MicrophoneSettings): Promise<MicrophoneError | null> {
    if (navigator.mediaDevices === undefined) return "unsupported";
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: constraints(settings) });
    } catch (error) {
      return microphoneError(error);
    }
    if (this.#capture === null) {
      await this.#context.audioWorklet.addModule(captureUrl);
      this.#capture = new AudioWorkletNode(this.#context, "nova-capture", { numberOfOutputs: 0 });
      this.#capture.port.onmessage = ({ data }: MessageEvent<Frame>) =>
        this.#events.frame(data.samples as Int16Array<ArrayBuffer>);
    }
    this.#release();
    this.#stream = stream;
    for (const track of stream.getAudioTracks()) {
      track.enabled = !this.#muted;
      track.addEventListener("ended", () => stream === this.#stream && this.#events.microphoneLost());
    }
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#source.connect(this.#capture);
    return null;
  }

  /** A muted microphone sends silence, so that the service hears the end of the turn. */
  setMuted(muted: boolean): void {
    this.#muted = muted;
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  push(generation: number, samples: Int16Array<ArrayBuffer>): void {
    this.#command({ type: "push", generation, samples });
  }

  flush(generation: number): void {
    this.#command({ type: "flush", generation });
  }

  /** The share of the speed at which the tutor speaks, with the same pitch. */
  setPace(pace: number): void {
    this.#command({ type: "pace", pace });
  }

  setVolume(volume: number): void {
    this.#volume = volume;
    this.duck(false);
  }

  duck(ducked: boolean): void {
    const target = this.#volume * (ducked ? DUCKED : 1);
    this.#gain.gain.setTargetAtTime(target, this.#context.currentTime, 0.015);
  }

  async close(): Promise<void> {
    this.#release();
    this.#player?.disconnect();
    this.#capture?.port.close();
    if (this.#context.state !== "closed") await this.#context.close();
  }

  #command(command: PlayerCommand): void {
    if (this.#player === null) {
      this.#waiting.push(command);
    } else {
      this.#player.port.postMessage(command, command.type === "push" ? [command.samples.buffer] : []);
    }
  }

  #release(): void {
    this.#source?.disconnect();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
  }
}

/** The inputs that can be chosen. Names are empty before the microphone was allowed. */
export async function microphones(): Promise<MediaDeviceInfo[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "audioinput" && device.deviceId !== "");
}

function constraints({ deviceId, raw }: MicrophoneSettings): MediaTrackConstraints {
  const processed = { ideal: !raw };
  return {
    channelCount: { ideal: 1 },
    echoCancellation: processed,
    noiseSuppression: processed,
    autoGainControl: processed,
    ...(deviceId === null ? {} : { deviceId: { ideal: deviceId } }),
  };
}

async function microphoneError(error: unknown): Promise<MicrophoneError> {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  if (name !== "NotAllowedError") return "unsupported";
  const state = await navigator.permissions
    ?.query({ name: "microphone" as PermissionName })
    .then((status) => status.state)
    .catch(() => "denied");
  return state === "prompt" ? "dismissed" : "blocked";
}
