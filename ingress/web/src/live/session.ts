/**
 * One live conversation: the WebSocket, the audio and the state of the page. It reconnects by itself while the service
 * keeps the conversation, and sends again what the service did not receive.
 */

import { ApiError, api, body, type Schemas } from "../api/client";
import type { ClientMessage } from "../api/generated/client-message";
import type { ServerMessage } from "../api/generated/server-message";
import { renew } from "../api/session";
import { reports } from "../api/reports";
import type { AudioEngine, MicrophoneSettings } from "../audio/engine";
import { MicrophoneHistory } from "../audio/history";
import type { PlayerReport } from "../audio/messages";
import { SAMPLE_RATE_HZ } from "../audio/player-queue";
import { level, SpeechDetector } from "../audio/speech";
import { INITIAL, reduce, type LiveEvent, type LiveState } from "./state";

const PROTOCOL = "nova.live.v1";
/** The page gives up this long before the service does. */
const RETURN_MARGIN_MS = 2000;
/** A headset needs seconds to switch between its modes. */
const MICROPHONE_PATIENCE_MS = 3500;
const MICROPHONE_RETRY_MS = 500;
const RETRY_FIRST_MS = 300;
const RETRY_MAX_MS = 5000;
/** The service accepts 64 KiB; audio that is sent again goes in pieces of one second. */
const RESEND_SAMPLES = SAMPLE_RATE_HZ;
const PLAYED_INTERVAL_MS = 200;
/** Close codes after which the conversation does not go on on this page. */
const FINAL_CLOSE_CODES = new Set([1000, 4001, 4002, 4003]);

type Started = Schemas["Started"];

export interface LiveOptions {
  readonly engine: AudioEngine;
  readonly microphone: MicrophoneSettings;
  /** How long the service keeps a conversation without a client. */
  readonly graceSeconds: number;
}

export class LiveSession {
  readonly conversationId: string;
  #state: LiveState = INITIAL;
  readonly #listeners = new Set<() => void>();
  readonly #engine: AudioEngine;
  readonly #history = new MicrophoneHistory(SAMPLE_RATE_HZ);
  readonly #detector = new SpeechDetector();
  #socket: WebSocket | null = null;
  #ready = false;
  /** Sentences typed while the conversation was not ready, or its connection was lost. */
  #unsentTexts: string[] = [];
  /** Whether a socket of the conversation was ever open. */
  #begun = false;
  #microphoneLevel = 0;
  #playbackLevel = 0;
  #reported = { generation: -1, ms: -1, at: 0 };
  #held = false;
  #awaySince: number | null = null;
  #wakeLock: WakeLockSentinel | null = null;
  readonly #microphone: MicrophoneSettings;
  readonly #graceMs: number;
  #openedAt = 0;
  #underruns = 0;
  /** When the learner stopped speaking, until the tutor is heard. */
  #silentSince: number | null = null;

  constructor(conversationId: string, { engine, microphone, graceSeconds }: LiveOptions) {
    this.conversationId = conversationId;
    this.#engine = engine;
    this.#microphone = microphone;
    this.#graceMs = graceSeconds * 1000;
  }

  get state(): LiveState {
    return this.#state;
  }

  /** Level of the microphone, from 0 to 1; changes too often for the state. */
  get microphoneLevel(): number {
    return this.#microphoneLevel;
  }

  get engine(): AudioEngine {
    return this.#engine;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  connect(started: Started): void {
    void this.#keepScreenOn();
    document.addEventListener("visibilitychange", this.#keepScreenOn);
    this.#open(started);
  }

  /** The device was unplugged or is switching: takes the one that the system offers now. The one owner of this retry. */
  async replaceMicrophone(): Promise<void> {
    this.#dispatch({ type: "microphone", is: "switching" });
    const until = performance.now() + MICROPHONE_PATIENCE_MS;
    for (;;) {
      const problem = await this.#engine.startMicrophone({ ...this.#microphone, deviceId: null });
      if (this.#socket === null) return;
      if (problem === null || performance.now() > until) {
        this.#dispatch({ type: "microphone", is: problem === null ? "back" : "lost" });
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, MICROPHONE_RETRY_MS));
    }
  }

  sendText(text: string): void {
    if (this.#ready) this.#send({ type: "text", text });
    else this.#unsentTexts.push(text);
    this.#dispatch({ type: "typed", text });
  }

  /** The learner pressed the button that stops the tutor. */
  interrupt(): void {
    this.#send({ type: "interrupt" });
  }

  /** In half duplex the microphone is not heard while the tutor speaks. */
  setHeld(held: boolean): void {
    this.#held = held;
  }

  end(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#send({ type: "end" });
    else this.#dispatch({ type: "failed", code: "offline" });
  }

  dismissNotice(): void {
    this.#dispatch({ type: "dismiss" });
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = null;
    document.removeEventListener("visibilitychange", this.#keepScreenOn);
    socket?.close(1000);
    await this.#wakeLock?.release().catch(() => undefined);
    await this.#engine.close();
  }

  /** A frame of the microphone, 32 ms. */
  readonly frame = (samples: Int16Array<ArrayBuffer>): void => {
    if (this.#state.phase === "ended" || this.#state.phase === "failed") return;
    if (this.#held && this.#state.playing) samples.fill(0);
    this.#microphoneLevel = level(samples);
    const playback = this.#state.playing ? this.#playbackLevel : 0;
    const speech = this.#detector.frame(this.#microphoneLevel, playback);
    if (this.#state.playing) {
      this.#engine.duck(speech.active);
      if (speech.interrupt) this.#send({ type: "interrupt" });
    } else if (this.#state.speaking !== speech.active) {
      this.#engine.duck(false);
    }
    if (this.#state.speaking && !speech.active && !this.#state.playing) this.#silentSince = performance.now();
    if (speech.active) this.#silentSince = null;
    this.#dispatch({ type: "speech", active: speech.active });
    this.#history.push(samples);
    if (this.#ready && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(samples);
  };

  readonly played = (report: PlayerReport): void => {
    this.#playbackLevel = report.level;
    reports.count("underruns", report.underruns - this.#underruns);
    this.#underruns = report.underruns;
    if (report.playing && this.#silentSince !== null) {
      reports.time("answerMs", performance.now() - this.#silentSince);
      this.#silentSince = null;
    }
    const ms = Math.max(0, Math.round(report.playedMs - this.#engine.outputLatencyMs));
    const { generation, playing } = report;
    if (generation === this.#state.generation && (ms !== this.#state.playedMs || playing !== this.#state.playing)) {
      this.#dispatch({ type: "played", generation, ms, playing });
    }
    const now = performance.now();
    const changed = generation !== this.#reported.generation || ms > this.#reported.ms;
    const due = now - this.#reported.at >= PLAYED_INTERVAL_MS || !playing;
    if (changed && due && this.#ready) {
      this.#reported = { generation, ms, at: now };
      this.#send({ type: "played", generation, ms });
    }
  };

  #open(started: Started): void {
    const url = new URL(started.live, window.location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("turns", String(this.#state.turns.length));
    const socket = new WebSocket(url, [PROTOCOL, `ticket.${started.ticket}`]);
    socket.binaryType = "arraybuffer";
    this.#ready = false;
    this.#socket = socket;
    this.#openedAt = performance.now();
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this.#socket) return;
      if (typeof data === "string") this.#receive(JSON.parse(data) as ServerMessage);
      else this.#hear(data as ArrayBuffer);
    });
    socket.addEventListener("close", ({ code }) => {
      if (socket === this.#socket) void this.#closed(code);
    });
  }

  #receive(message: ServerMessage): void {
    if (message.type === "flush") this.#engine.flush(message.generation);
    if (message.type === "ready") {
      this.#begun = true;
      reports.time("connectMs", performance.now() - this.#openedAt);
      this.#dispatch({ type: "message", message });
      this.#resume(message.heardSamples ?? null);
      return;
    }
    if (
      message.type === "error" &&
      (message.code === "model_failed" || message.code === "model_refused" || message.code === "unavailable")
    ) {
      this.#dispatch({ type: "failed", code: message.code });
      return;
    }
    this.#dispatch({ type: "message", message });
  }

  /** Continues with the first sample that the service does not have. */
  #resume(heardSamples: number | null): void {
    const returning = this.#awaySince !== null;
    this.#awaySince = null;
    const sayAgain = heardSamples === null && this.#history.recorded > 0;
    if (heardSamples === null) this.#history.restart();
    const { samples, lost } = this.#history.since(heardSamples ?? 0);
    for (let at = 0; at < samples.length; at += RESEND_SAMPLES) {
      this.#socket?.send(samples.slice(at, at + RESEND_SAMPLES));
    }
    this.#ready = true;
    for (const text of this.#unsentTexts.splice(0)) this.#send({ type: "text", text });
    if (returning) {
      const seconds = (count: number): number => count / SAMPLE_RATE_HZ;
      this.#dispatch({ type: "back", keptSeconds: seconds(samples.length), lostSeconds: seconds(lost), sayAgain });
    }
  }

  #hear(data: ArrayBuffer): void {
    const generation = new DataView(data).getUint32(0, true);
    const samples = new Int16Array(data.slice(4));
    this.#dispatch({ type: "audio", generation, ms: (samples.length * 1000) / SAMPLE_RATE_HZ });
    this.#engine.push(generation, samples);
  }

  async #closed(code: number): Promise<void> {
    this.#ready = false;
    if (this.#state.phase === "ended" || this.#state.phase === "failed") return;
    if (FINAL_CLOSE_CODES.has(code)) {
      const reason = code === 4001 ? "replaced" : code === 4002 ? "session_ended" : "conversation_ended";
      this.#dispatch({ type: "failed", code: reason });
      // The state of the page follows the session: another sign-in of this browser continues, otherwise it is signed out.
      if (code === 4002) await renew();
      return;
    }
    this.#awaySince ??= performance.now();
    this.#dispatch({ type: "away" });
    await this.#return(this.#awaySince);
  }

  /** Requests another ticket until the service would have given up. The one owner of this retry. */
  async #return(since: number): Promise<void> {
    for (let pause = RETRY_FIRST_MS; ; pause = Math.min(RETRY_MAX_MS, pause * 2)) {
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)));
      if (this.#socket === null) return;
      if (performance.now() - since > this.#graceMs - RETURN_MARGIN_MS) {
        this.#dispatch({ type: "failed", code: "offline" });
        return;
      }
      try {
        const path = { params: { path: { id: this.conversationId } } };
        const started = await body(() => api.POST("/api/conversations/{id}/ticket", path));
        this.#open(started);
        return;
      } catch (error) {
        // A browser hides why a first socket was refused. A conversation that never began does not exist: there was no room.
        const refused = !this.#begun && error instanceof ApiError && error.status === 404;
        const code = refused ? "busy" : error instanceof ApiError ? error.code : "unexpected";
        if (error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500)) continue;
        this.#dispatch({ type: "failed", code });
        return;
      }
    }
  }

  #send(message: ClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #dispatch(event: LiveEvent): void {
    const next = reduce(this.#state, event);
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of this.#listeners) listener();
  }

  /** Phones switch the screen off in the middle of a conversation. A refusal changes nothing else. */
  readonly #keepScreenOn = async (): Promise<void> => {
    // The browser takes the lock away from a page that is not shown.
    if (document.visibilityState !== "visible") return;
    try {
      this.#wakeLock = (await navigator.wakeLock?.request("screen")) ?? null;
    } catch {
      this.#wakeLock = null;
    }
  };
}
