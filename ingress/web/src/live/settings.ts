/** The learner's sound settings, kept in this browser. */

import type { Schemas } from "../api/client";
import { VOICES, type Voice } from "./voices";

export interface SoundSettings {
  readonly voice: Voice;
  readonly deviceId: string | null;
  /** Without echo cancellation and noise suppression. */
  readonly raw: boolean;
  /** The microphone is silent while the tutor speaks. */
  readonly half: boolean;
  readonly volume: number;
  /** The tutor's pace as a share of the normal one; `null`: by the learner's level. */
  readonly pace: Pace | null;
  /** The room was checked once. */
  readonly checked: boolean;
}

export const PACES = [1, 0.85, 0.7] as const;
export type Pace = (typeof PACES)[number];

const KEY = "nova.sound";
const DEFAULT: SoundSettings = {
  voice: "tiffany",
  deviceId: null,
  raw: false,
  half: false,
  volume: 1,
  pace: null,
  checked: false,
};

/** Beginners hear the tutor more slowly until they choose. */
export function paceOf(settings: SoundSettings, level: Schemas["Level"]): Pace {
  return settings.pace ?? (level === "A1" || level === "A2" ? 0.85 : 1);
}

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
