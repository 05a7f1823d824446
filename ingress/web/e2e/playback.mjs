// What a page plays, measured on the clock of its audio: a processor behind everything that reaches the loudspeaker, and the
// moments at which messages of the conversation arrive. The clock of the audio stands still when the machine is busy, so a
// measurement does not depend on other processes.

/** Where the network between browser and service serves the processor. */
const PATH = "/e2e-recorder.js";

/** Quieter samples are no sound: 16-bit audio has no smaller ones. */
const SILENCE = 1 / 32_768;

const PROCESSOR = `
  class Recorder extends AudioWorkletProcessor {
    #audible = false;
    process([channels]) {
      let peak = 0;
      for (const channel of channels) for (const sample of channel) peak = Math.max(peak, Math.abs(sample));
      const audible = peak > ${SILENCE};
      if (audible !== this.#audible) this.port.postMessage({ seconds: currentTime, audible });
      this.#audible = audible;
      return true;
    }
  }
  registerProcessor("e2e-recorder", Recorder);
`;

/** The scripts that the network must serve. */
export const SCRIPTS = { [PATH]: PROCESSOR };

/** Records what the page will play. */
export async function recordPlayback(page) {
  await page.addInitScript(install, PATH);
}

/** Runs in the page, before its scripts. */
function install(path) {
  const playback = { context: null, sounds: [], messages: [], recording: null };
  globalThis.playback = playback;
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) void record(this);
    return connect.call(this, target, ...rest);
  };
  async function record(source) {
    const { context } = source;
    await context.audioWorklet.addModule(path);
    const recorder = new AudioWorkletNode(context, "e2e-recorder", { numberOfOutputs: 0 });
    recorder.port.onmessage = ({ data }) => playback.sounds.push(data);
    connect.call(source, recorder);
    playback.context = context;
  }
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function () {
    playback.recording = this;
    return play.call(this);
  };
  globalThis.WebSocket = class extends WebSocket {
    constructor(...values) {
      super(...values);
      // Registered first, so it runs before the page handles the message.
      this.addEventListener("message", ({ data }) => {
        const seconds = playback.context?.currentTime ?? 0;
        if (typeof data !== "string") {
          const generation = new DataView(data).getUint32(0, true);
          playback.messages.push({ type: "audio", seconds, generation, lasts: (data.byteLength - 4) / 2 / 16_000 });
        } else if (JSON.parse(data).type === "flush") {
          playback.messages.push({ type: "flush", seconds, generation: JSON.parse(data).generation });
        }
      });
    }
  };
}

/** Waits until at least `seconds` of the tutor's audio are still to be played. */
export async function tutorHasMuchToSay(page, seconds) {
  await page.waitForFunction((least) => {
    const { context, messages, sounds } = globalThis.playback;
    const { generation } = messages.at(-1) ?? {};
    const audio = messages.filter((message) => message.type === "audio" && message.generation === generation);
    if (audio.length === 0 || sounds.at(-1)?.audible !== true) return false;
    const played = context.currentTime - audio[0].seconds;
    return audio.reduce((sum, { lasts }) => sum + lasts, 0) - played >= least;
  }, seconds);
}

/** Waits for a flush behind the first `known` ones. */
export async function flushed(page, known) {
  await page.waitForFunction(
    (count) => globalThis.playback.messages.filter(({ type }) => type === "flush").length > count,
    known,
  );
}

/** Waits until the recording that was last begun stops; returns where, and how long it is, in seconds. */
export async function recordingEnd(page) {
  await page.waitForFunction(() => globalThis.playback.recording?.paused === true);
  return page.evaluate(() => {
    const { currentTime, duration } = globalThis.playback.recording;
    return { end: currentTime, duration };
  });
}

/** Waits until audio has arrived behind the flush with this number, from 0. */
export async function audioAfterFlush(page, number) {
  await page.waitForFunction((index) => {
    const { messages } = globalThis.playback;
    const flush = messages.filter(({ type }) => type === "flush")[index];
    return flush !== undefined && messages.slice(messages.indexOf(flush)).some(({ type }) => type === "audio");
  }, number);
}

/**
 * For each flush: `waiting`, the seconds of audio at least that were still to be played when it arrived, and `sound`, the
 * seconds until the last sound before audio of the new generation arrived.
 */
export async function flushes(page) {
  const { messages, sounds } = await page.evaluate(() => {
    const { messages, sounds } = globalThis.playback;
    return { messages, sounds };
  });
  return messages.flatMap((flush, at) => {
    if (flush.type !== "flush") return [];
    const before = messages.filter(({ type, generation }) => type === "audio" && generation === flush.generation - 1);
    const after = messages.slice(at).find(({ type, generation }) => type === "audio" && generation >= flush.generation);
    const begun = before[0]?.seconds ?? flush.seconds;
    const waiting = before.reduce((sum, { lasts }) => sum + lasts, 0) - (flush.seconds - begun);
    const until = after?.seconds ?? Infinity;
    const ends = sounds.filter(({ audible, seconds }) => !audible && seconds > flush.seconds && seconds < until);
    // Still audible when the next audio arrives: it never became silent.
    const last = sounds.filter(({ seconds }) => seconds < until).at(-1);
    const sound =
      last?.audible === true ? until - flush.seconds : (ends.at(-1)?.seconds ?? flush.seconds) - flush.seconds;
    return [{ waiting, sound }];
  });
}
