/** The learner's sound settings, kept in this browser. */

import { VOICES, type Voice } from "./voices";

export interface SoundSettings {
  readonly voice: Voice;
  readonly deviceId: string | null;
  /** Without echo cancellation and noise suppression. */
  readonly raw: boolean;
  /** The microphone is silent while the tutor speaks. */
  readonly half: boolean;
  readonly volume: number;
  /** The room was checked once. */
  readonly checked: boolean;
}

const KEY = "nova.sound";
const DEFAULT: SoundSettings = { voice: "tiffany", deviceId: null, raw: false, half: false, volume: 1, checked: false };

export function loadSettings(): SoundSettings {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<SoundSettings>;
    const settings = { ...DEFAULT, ...stored };
    const known = VOICES.some((voice) => voice.value === settings.voice);
    return known ? settings : { ...settings, voice: DEFAULT.voice };
  } catch {
    return DEFAULT;
  }
}

export function saveSettings(settings: SoundSettings): void {
  localStorage.setItem(KEY, JSON.stringify(settings));
}
