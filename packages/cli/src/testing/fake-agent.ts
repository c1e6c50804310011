/**
 * Fake agent: an HTTP server on a Unix socket that gives scripted answers and records the requests.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Heard {
  /** `POST /path?query`, decoded. */
  readonly call: string;
  readonly body: unknown;
  /** The header `X-Registry-Auth`, if there was one. */
  readonly registryAuth?: string;
}

/**
 * A value is the body of a 200. A refusal() is answered with its status, and a number with that status. A function is
 * called for each answer.
 */
export type Script = Readonly<Record<string, unknown>>;

class Refusal {
  readonly status: number;
  readonly message: string;

  constructor(status: number, message: string) {
    this.status = status;
    this.message = message;
  }
}

export function refusal(status: number, message = `refused with ${status}`): unknown {
  return new Refusal(status, message);
}

export interface FakeAgent {
  readonly socket: string;
  readonly heard: Heard[];
  close(): Promise<void>;
}

export async function fakeAgent(script: Script): Promise<FakeAgent> {
  const folder = mkdtempSync(join(tmpdir(), "gam-cli-"));
  const socket = join(folder, "gam.sock");
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const call = `${request.method} ${decodeURIComponent(request.url ?? "")}`;
      const text = Buffer.concat(chunks).toString();
      const auth = request.headers["x-registry-auth"];
      heard.push({
        call,
        body: text === "" ? undefined : JSON.parse(text),
        ...(typeof auth === "string" && { registryAuth: auth }),
      });
      const scripted = Object.hasOwn(script, call) ? script[call] : 404;
      const found = typeof scripted === "function" ? scripted() : scripted;
      const answer = typeof found === "number" ? refusal(found) : found;
      response.setHeader("content-type", "application/json");
      response.statusCode = answer instanceof Refusal ? answer.status : 200;
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    heard,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          rmSync(folder, { recursive: true });
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
