import type { Readable } from "node:stream";
import { GamError, jsonOr } from "@gam/core";
import { ApiError } from "./api-error.ts";
import { type GoJsonWords, parseGoJson } from "./go-json.ts";
import { type GoKeys, withGoKeys } from "./go-keys.ts";

const bodyBytesMax = 4 * 1024 * 1024;
/** The engine's words. */
const bodyWords: GoJsonWords = {
  cutOff: "unexpected EOF",
  trailing: "unexpected content after JSON",
};

/**
 * Returns: the JSON body of a call that is answered here. Calls that are passed on have no limit.
 *
 * Errors: GamError BAD_REQUEST without a body or with invalid JSON, ApiError 413 for a body over the limit.
 */
export async function readJsonBody(body: unknown): Promise<unknown> {
  const text = (await collectBody(body)).toString("utf8");
  if (text.trim() === "") throw new GamError("BAD_REQUEST", "got EOF while reading request body");
  return parseGoJson(text, bodyWords);
}

/**
 * Returns: a body unchanged, for calls that may be passed on, and its fields if it is a JSON object, those of
 *          `keys` by their names there.
 *
 * Errors: ApiError 413 for a body over the limit.
 */
export async function readRawBody(
  body: unknown,
  keys: GoKeys,
): Promise<{
  readonly raw: Buffer;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}> {
  const raw = await collectBody(body);
  const parsed = jsonOr(raw.toString("utf8"), undefined);
  const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
  return { raw, fields: isObject ? withGoKeys({ ...parsed }, keys) : undefined };
}

/** Returns: the bytes of a body. Errors: ApiError 413 for a body over the limit. */
export async function collectBody(body: unknown): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  if (isStream(body)) {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > bodyBytesMax)
        throw new ApiError(413, `request body is over ${bodyBytesMax} bytes`);
      chunks.push(chunk);
    }
  }
  return Buffer.concat(chunks);
}

function isStream(body: unknown): body is Readable & AsyncIterable<Buffer> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}
