import { check, GamError } from "@gam/core";
import { readJsonBody } from "./json-body.ts";

type Fields = Record<string, check.Check<unknown>>;

/**
 * Returns: the JSON body of one of gam's own calls. Unknown fields are refused, because the client would expect an
 * effect that does not come. (Swarm ignores them, and so do Swarm's calls here.)
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
  const message = `Cannot read body: found unknown field "${unknown}". Known fields: ${known}`;
  throw new GamError("BAD_REQUEST", message);
}
