/** Caddy admin: gives Caddy a configuration, at its Unix socket. */
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { hasCode, messageOf, rethrowInvariant } from "@gam/core";
import { caddyAdminHost } from "@gam/network";

/** Caddy answers when the new configuration serves. With many sites that takes some seconds. */
const answerMsMax = 30_000;

export type Loaded =
  | { readonly kind: "loaded" }
  /** No Caddy listens there. */
  | { readonly kind: "absent" }
  /** Caddy goes on with the configuration that it had. */
  | { readonly kind: "refused"; readonly reason: string };

/** Never rejects. */
export async function loadConfig(socketPath: string, config: string): Promise<Loaded> {
  try {
    const { status, body } = await post(socketPath, config);
    return status === 200 ? { kind: "loaded" } : { kind: "refused", reason: wordsOf(status, body) };
  } catch (thrown) {
    rethrowInvariant(thrown);
    const isAbsent = ["ENOENT", "ECONNREFUSED"].some((code) => hasCode(thrown, code));
    return isAbsent ? { kind: "absent" } : { kind: "refused", reason: messageOf(thrown) };
  }
}

function post(socketPath: string, config: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      host: caddyAdminHost,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(config),
    };
    const signal = AbortSignal.timeout(answerMsMax);
    const path = "/load";
    const call = request(
      { socketPath, method: "POST", path, headers, agent: false, signal },
      (response) => {
        text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
      },
    );
    call.on("error", reject);
    call.end(config);
  });
}

/** Returns: why Caddy refused, in its own words: `{"error":"…"}`. */
function wordsOf(status: number, body: string): string {
  const [, words] = /^\{"error":"(.*)"\}\s*$/.exec(body) ?? [];
  return `status ${status}: ${words ?? body.trim()}`;
}
