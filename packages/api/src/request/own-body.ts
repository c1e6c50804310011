import { check, GamError } from "@gam/core";
import { readJsonBody } from "./json-body.ts";

type Fields = Record<string, check.Check<unknown>>;

/**
 * The JSON body of one of gam's own calls. A field that is not known here is refused: whoever sends it
 * wants something that would not happen. (Swarm drops them, and so do the calls that are Swarm's.)
 *
 * Errors: GamError BAD_REQUEST or BAD_FRAME, with the field.
 */
export async function readOwnBody<F extends Fields>(
  body: unknown,
  fields: F,
): Promise<{ [K in keyof F]: check.Checked<F[K]> }> {
  const found = await readJsonBody(body);
  const read = check.object(fields)(found, "body");
  const unknown = Object.keys(found as object).find((name) => !Object.hasOwn(fields, name));
  if (unknown === undefined) return read;
  const known = Object.keys(fields).join(", ");
  const message = `Cannot read body: found field "${unknown}", which is none of ${known}`;
  throw new GamError("BAD_REQUEST", message);
}
