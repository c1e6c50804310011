import { ApiError } from "./api-error.ts";

/** The query of one call. Of a key that comes twice the first one counts, as in the engine. */
export class Query {
  readonly #params: URLSearchParams;

  constructor(url: string) {
    const at = url.indexOf("?");
    this.#params = new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
  }

  text(key: string): string | undefined {
    return this.#params.get(key) ?? undefined;
  }

  /** Anything but these words of the engine's says yes. */
  flag(key: string): boolean {
    const value = this.#params.get(key)?.trim().toLowerCase() ?? "";
    return !["", "0", "no", "false", "none"].includes(value);
  }

  /** `kind` is the object's, for the message. Errors: ApiError 400. */
  version(kind: string): number {
    const text = this.#params.get("version") ?? "";
    if (/^\d{1,16}$/.test(text)) return Number(text);
    const parse = `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw new ApiError(400, `invalid ${kind} version '${text}': ${parse}`);
  }
}
