/**
 * Unreachable: why an address could not be reached, in words for an operator.
 *
 * Decides which failures are final, so that no retry follows.
 */
import { GamError, messageOf } from "@gam/core";

/** Whether the host answered that nothing listens on that port. */
export function isRefusal(thrown: unknown): boolean {
  return hasCode(thrown, "ECONNREFUSED");
}

/**
 * The error for an attempt that failed before the peer answered.
 *
 * Shape:  `isFinal` when a retry at once would fail in the same way.
 * Units:  `triedMs` is how long it was tried.
 */
export function unreachableAt(
  thrown: unknown,
  triedMs: number,
): { readonly error: GamError; readonly isFinal: boolean } {
  const say = (text: string, isFinal: boolean): { error: GamError; isFinal: boolean } => ({
    error: new GamError("UNREACHABLE", text, { cause: thrown }),
    isFinal,
  });
  if (isRefusal(thrown)) {
    return say("the host refused the connection: no agent listens on that port", true);
  }
  if (hasCode(thrown, "ENOTFOUND")) return say("the name does not resolve on this host", true);
  if (hasCode(thrown, "EAI_AGAIN")) {
    return say("the name server does not answer, so the name could not be resolved", false);
  }
  const seconds = Math.round(triedMs / 100) / 10;
  return say(`no answer within ${seconds} s (${messageOf(thrown)})`, false);
}

function hasCode(thrown: unknown, code: string): boolean {
  if (thrown instanceof AggregateError) return thrown.errors.some((one) => hasCode(one, code));
  if (!(thrown instanceof Error)) return false;
  return ("code" in thrown && thrown.code === code) || hasCode(thrown.cause, code);
}
