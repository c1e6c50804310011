import { ApiError } from "./api-error.ts";

/** The query of one call. The first value of a repeated key counts, as in the engine. */
export class Query {
  readonly #params: URLSearchParams;

  constructor(url: string) {
    const at = url.indexOf("?");
    this.#params = new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
  }

  text(key: string): string | undefined {
    return this.#params.get(key) ?? undefined;
  }

  /** Returns: false for the engine's words for "no", true for any other value. */
  flag(key: string): boolean {
    const value = this.#params.get(key)?.trim().toLowerCase() ?? "";
    return !["", "0", "no", "false", "none"].includes(value);
  }

  /** `kind`: the kind of object, for the message. Errors: ApiError 400. */
  version(kind: string): number {
    const text = this.#params.get("version") ?? "";
    if (/^\d{1,16}$/.test(text)) return Number(text);
    const parse = `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw new ApiError(400, `invalid ${kind} version '${text}': ${parse}`);
  }
}
