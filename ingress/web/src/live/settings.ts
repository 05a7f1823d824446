/** The learner's sound settings, kept in this browser. */

import type { Schemas } from "../api/client";

export interface SoundSettings {
  /** A voice of the service; `null` for its default. */
  readonly voice: string | null;
  readonly deviceId: string | null;
  /** Without echo cancellation and noise suppression. */
  readonly raw: boolean;
  /** The microphone is silent while the tutor speaks. */
  readonly half: boolean;
  /** The microphone is heard only while its button is held. */
  readonly hold: boolean;
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
  voice: null,
  deviceId: null,
  raw: false,
  half: false,
  hold: false,
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
    return { ...DEFAULT, ...stored };
  } catch {
    return DEFAULT;
  }
}

export function saveSettings(settings: SoundSettings): void {
  localStorage.setItem(KEY, JSON.stringify(settings));
}
