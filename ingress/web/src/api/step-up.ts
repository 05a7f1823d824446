/** Who asks for the password when the service requires a new proof before a change of the account: the dialog of the page. */

type Ask = () => Promise<boolean>;

let ask: Ask | null = null;
let asking: Promise<boolean> | null = null;

/** Makes `next` the one who asks, until the returned function is called. */
export function askWith(next: Ask): () => void {
  ask = next;
  return () => {
    if (ask === next) ask = null;
  };
}

/** Asks for the proof; false when it was not given. Several requests that need it share one question. */
export function stepUp(): Promise<boolean> {
  asking ??= (ask?.() ?? Promise.resolve(false)).finally(() => {
    asking = null;
  });
  return asking;
}
