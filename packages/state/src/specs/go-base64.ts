/**
 * Go base64: reads a list of bytes in JSON as Go does, with its errors.
 *
 * Source: encoding/base64, Encoding.Decode: new lines are skipped, padding is required.
 */
import { GamError } from "@gam/core";

const alphabet = /[A-Za-z0-9+/]/;

/** Errors: BAD_REQUEST in Go's words. */
export function readGoBase64(text: string): Uint8Array {
  const wrong = wrongAt(text);
  if (wrong !== undefined) {
    throw new GamError("BAD_REQUEST", `illegal base64 data at input byte ${wrong}`);
  }
  return Uint8Array.from(Buffer.from(text, "base64"));
}

/** Returns: where Go would stop; undefined where it reads the whole text. */
function wrongAt(text: string): number | undefined {
  const isBreak = (at: number): boolean => text[at] === "\n" || text[at] === "\r";
  let held = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (isBreak(at)) continue;
    const character = text[at] ?? "";
    if (alphabet.test(character)) {
      held = (held + 1) % 4;
      continue;
    }
    if (character !== "=" || held < 2) return at;
    let end = at + 1;
    const skip = (): void => {
      while (isBreak(end)) end += 1;
    };
    skip();
    if (held === 2) {
      if (end >= text.length) return text.length;
      if (text[end] !== "=") return end - 1;
      end += 1;
      skip();
    }
    return end < text.length ? end : undefined;
  }
  return held === 0 ? undefined : text.length - held;
}
