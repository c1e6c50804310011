import { setTimeout as delay } from "node:timers/promises";

/** Resolves after `ms`, or as soon as the signal aborts. With `ref: false` it keeps no process alive. */
export async function pause(
  ms: number,
  signal: AbortSignal,
  options: { readonly ref?: boolean } = {},
): Promise<void> {
  try {
    await delay(ms, undefined, { signal, ...options });
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}
