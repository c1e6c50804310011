/** One HTTP call on a Unix socket, from the lab itself to an engine or agent. */
import { request } from "node:http";
import { LabError } from "./lab-error.ts";

export interface EngineCall {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path: string;
  /** Bytes are sent as a tar, anything else as JSON. */
  readonly body?: Uint8Array | object;
  readonly timeoutMs?: number;
}

export interface EngineAnswer {
  readonly status: number;
  readonly text: string;
}

const timeoutMsDefault = 60_000;

/** Errors: LabError without an answer in time. A status of 400 or more counts as an answer. */
export function engineCall(socketPath: string, call: EngineCall): Promise<EngineAnswer> {
  const { method = "GET", path, body } = call;
  const payload = body instanceof Uint8Array ? body : JSON.stringify(body);
  const type = body instanceof Uint8Array ? "application/x-tar" : "application/json";
  const headers = body === undefined ? {} : { "content-type": type };
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("error", fail);
      answer.on("end", () => {
        clearTimeout(timer);
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() });
      });
    });
    const timer = setTimeout(
      () => sent.destroy(new Error("no answer in time")),
      call.timeoutMs ?? timeoutMsDefault,
    );
    function fail(cause: Error): void {
      clearTimeout(timer);
      reject(
        new LabError(`Cannot ${method} ${path} at ${socketPath}: ${cause.message}`, { cause }),
      );
    }
    sent.on("error", fail);
    sent.end(payload);
  });
}
