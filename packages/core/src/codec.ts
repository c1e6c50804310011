/**
 * Codec: values to bytes and back, the same bytes for the same value everywhere.
 *
 * Decides how frames, log entries and snapshots are written. Does not decide what they may contain:
 * check.ts does, for everything from a peer or a disk.
 */
import { type Options, Packr } from "msgpackr";
import { rethrowInvariant } from "./assert.ts";
import { GamError, messageOf } from "./errors.ts";
import { formProblem } from "./plain-form.ts";

// No records: with shared structures, the meaning of bytes would depend on earlier ones. The library's types
// lack skipValues; without that option, an absent field and an undefined one give different bytes.
const options: Options & { skipValues: unknown[] } = {
  useRecords: false,
  mapsAsObjects: true,
  skipValues: [undefined],
};
const packr = new Packr(options);

export function encode(value: unknown): Uint8Array {
  // A copy, since the packer returns views of a buffer that it reuses. Not Uint8Array.from(), which uses a
  // slow iterator.
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
