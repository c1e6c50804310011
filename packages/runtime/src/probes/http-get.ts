/**
 * HTTP get: one GET with a limit of time and size.
 *
 * Each has a connection of its own, which is closed afterwards: a task that leaves must not wait for one that its
 * host keeps open. Follows no redirect. Ends with a reason, never with an error.
 */
import { get } from "node:http";
import { get as getSafely } from "node:https";
import { messageOf } from "@gam/core";
import { bodyBytesMax, type HttpAnswer } from "@gam/state";

const timeoutMsDefault = 5000;

export function httpGet(text: string, timeoutMs = timeoutMsDefault): Promise<HttpAnswer> {
  const url = URL.parse(text);
  if (url === null) return Promise.resolve({ error: `"${text}" is no URL` });
  return new Promise((resolve) => {
    const fail = (thrown: unknown): void => resolve({ error: reasonOf(thrown, timeoutMs) });
    const signal = AbortSignal.timeout(timeoutMs);
    const options = { agent: false, signal, headers: { "user-agent": "gam" } };
    const request = (url.protocol === "https:" ? getSafely : get)(url, options, (answer) => {
      const parts: Buffer[] = [];
      let left = bodyBytesMax;
      const end = (): void => {
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() });
        answer.destroy();
      };
      answer.on("data", (part: Buffer) => {
        parts.push(part.subarray(0, left));
        left -= part.length;
        if (left <= 0) end();
      });
      answer.on("end", end);
      answer.on("error", fail);
    });
    request.on("error", fail);
  });
}

function reasonOf(thrown: unknown, timeoutMs: number): string {
  const isLate = thrown instanceof Error && thrown.name === "AbortError";
  return isLate ? `no answer within ${timeoutMs / 1000} s` : messageOf(thrown);
}
