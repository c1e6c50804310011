/**
 * Unreachable: why an address could not be reached, in words for an operator.
 *
 * Decides which failures are an answer, so that nobody waits for another one.
 */
import { GamError, messageOf } from "@gam/core";

/** The host is there and nothing listens on that port. */
export function isRefusal(thrown: unknown): boolean {
  return hasCode(thrown, "ECONNREFUSED");
}

/**
 * What to say of an attempt that failed before the peer said anything.
 *
 * Shape:  `isFinal` when another attempt at once would end in the same way.
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
  if (hasCode(thrown, "ENOTFOUND")) return say("that name is not known here", true);
  if (hasCode(thrown, "EAI_AGAIN")) {
    return say("the name server does not answer, so that name could not be looked up", false);
  }
  const seconds = Math.round(triedMs / 100) / 10;
  return say(`no answer within ${seconds} s (${messageOf(thrown)})`, false);
}

function hasCode(thrown: unknown, code: string): boolean {
  if (thrown instanceof AggregateError) return thrown.errors.some((one) => hasCode(one, code));
  if (!(thrown instanceof Error)) return false;
  return ("code" in thrown && thrown.code === code) || hasCode(thrown.cause, code);
}
