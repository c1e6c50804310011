/**
 * Codec: values to bytes and back, the same bytes for the same value everywhere.
 *
 * Decides how frames, log entries and snapshots are written. Does not decide what may stand in them:
 * check.ts does, on everything that a peer or a disk sent.
 */
import { type Options, Packr } from "msgpackr";
import { rethrowInvariant } from "./assert.ts";
import { GamError, messageOf } from "./errors.ts";
import { formProblem } from "./plain-form.ts";

// No records: shared structures would make the meaning of bytes depend on what was written before.
// Its types do not know skipValues; without it an absent field and an undefined one differ in bytes.
const options: Options & { skipValues: unknown[] } = {
  useRecords: false,
  mapsAsObjects: true,
  skipValues: [undefined],
};
const packr = new Packr(options);

export function encode(value: unknown): Uint8Array {
  // The packer hands out views of a buffer it uses again. A copy of the bytes, not Uint8Array.from(), which goes
  // through an iterator.
  return new Uint8Array(packr.pack(value));
}

/** Errors: BAD_FRAME when the bytes are not one value as encode() writes it. */
export function decode(bytes: Uint8Array): unknown {
  const problem = formProblem(bytes);
  if (problem !== undefined) throw new GamError("BAD_FRAME", `Cannot decode frame: ${problem}`);
  try {
    return packr.unpack(bytes);
  } catch (thrown) {
    rethrowInvariant(thrown);
    throw new GamError("BAD_FRAME", `Cannot decode frame: ${messageOf(thrown)}`, { cause: thrown });
  }
}
