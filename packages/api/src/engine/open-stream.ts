import { type IncomingMessage, request } from "node:http";
import { jsonOr } from "@gam/core";
import { type Fields, fieldsOf } from "../request/fields.ts";
import type { CallTarget } from "./call-target.ts";

const headers = ["Host", "docker", "Connection", "close"];

export interface Sent {
  readonly method: "GET" | "POST" | "DELETE";
  readonly body?: Fields | undefined;
}

/**
 * Resolves to the answer to a GET, or what `sent` says, as soon as it begins. Errors: those of CallTarget.missing(), also when `signal`
 * aborts. After that the stream itself reports errors.
 */
export async function openStream(
  target: CallTarget,
  url: string,
  signal: AbortSignal,
  { method, body }: Sent = { method: "GET" },
): Promise<IncomingMessage> {
  const path = await target.pathOf(url);
  const text = body === undefined ? "" : JSON.stringify(body);
  const length = Buffer.byteLength(text);
  const about = length > 0 ? ["Content-Type", "application/json"] : [];
  const more = method === "GET" ? [] : [...about, "Content-Length", `${length}`];
  return await new Promise((settle, fail) => {
    const call = request({ ...target.options(method, path, [...headers, ...more]), signal });
    call.on("response", settle);
    call.on("error", (thrown) => fail(target.missing(thrown)));
    call.end(text);
  });
}

/** Resolves to the whole text of an answer. Errors: an Error for one over `bytesMax`; those of the stream. */
export async function textOfAnswer(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`its answer is over ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Returns: the engine's message in the text of a refusal; the text itself if there is none. */
export function messageInText(text: string): string {
  const { message } = fieldsOf(jsonOr(text, undefined));
  return typeof message === "string" ? message : text;
}
