/** External: reads `external`: `true`, or the old form with a name inside. */
import { boolean, type Read, record, shortOrLong, text } from "../reading/read.ts";

export interface External {
  readonly external: boolean;
  readonly name?: string;
}

export const external: Read<External> = shortOrLong(
  (value, context) => ({ external: boolean(value, context) ?? false }),
  (value, context) => {
    const name = record({ name: text })(value, context)?.name;
    return { external: true, ...(name ? { name } : {}) };
  },
);

/** Returns: the name that is given for an object, at either place; `undefined` for none or an empty one. */
export function givenName(
  entry:
    | { readonly name?: string | undefined; readonly external?: External | undefined }
    | undefined,
): string | undefined {
  return entry?.name || entry?.external?.name || undefined;
}
