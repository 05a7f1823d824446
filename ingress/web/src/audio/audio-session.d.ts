/** The Audio Session API, so far in Safari only. */
interface Navigator {
  readonly audioSession?: { type: "auto" | "play-and-record" };
}
