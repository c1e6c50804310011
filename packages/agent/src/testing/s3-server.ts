/**
 * S3 server: the part of the S3 protocol that backups use, in memory, with signatures checked for real.
 *
 * As a program: node s3-server.ts ADDRESS PORT. Signatures are computed here from the specification, without the library that makes them.
 */
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

const s3Keys = { id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };

export interface S3Call {
  readonly method: string;
  readonly path: string;
  readonly query: string;
}

/** A strange answer to a call: a status with a text, or a connection that is cut after so many bytes of the answer. */
export type S3Oddity =
  | { readonly status: number; readonly text: string }
  | { readonly cutAfter: number }
  | undefined;

export class S3Server {
  readonly objects = new Map<string, Buffer>();
  /** Parts of uploads that have neither ended nor been given up. */
  readonly uploads = new Map<string, Map<number, Buffer>>();
  readonly calls: S3Call[] = [];
  /** Asked before each call is served. */
  odd: (call: S3Call) => S3Oddity = () => undefined;
  readonly #server: Server;
  #count = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((thrown: unknown) => {
        response.destroy(thrown instanceof Error ? thrown : undefined);
      });
    });
  }

  static async start(host = "127.0.0.1", port = 0): Promise<S3Server> {
    const server = new S3Server();
    await new Promise<void>((resolve) => server.#server.listen(port, host, resolve));
    return server;
  }

  /** The text of a secret with which it can be used. */
  get credentials(): string {
    return `AWS_ACCESS_KEY_ID=${s3Keys.id}\nAWS_SECRET_ACCESS_KEY="${s3Keys.secret}"\nAWS_ENDPOINT_URL=${this.endpoint}\n`;
  }

  get endpoint(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    const [path = "", query = ""] = url.split("?");
    const body = await buffer(request);
    const call = { method, path: decodeURIComponent(path), query };
    this.calls.push(call);
    const refuse = (status: number, code: string, message: string): void => {
      response.writeHead(status, { "content-type": "application/xml" });
      response.end(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
    };
    const odd = this.odd(call);
    if (odd !== undefined && "status" in odd) {
      response.writeHead(odd.status);
      return void response.end(odd.text);
    }
    const wrong = problemOf(request, { path, query, body });
    if (wrong !== undefined) return refuse(403, "SignatureDoesNotMatch", wrong);
    const answer = this.#answer(call, new URLSearchParams(query), body);
    if (answer === undefined) return refuse(404, "NoSuchKey", "The specified key does not exist.");
    const { headers = {}, content = Buffer.alloc(0) } = answer;
    response.writeHead(200, { "content-length": content.length, ...headers });
    if (odd === undefined) return void response.end(method === "HEAD" ? undefined : content);
    response.write(content.subarray(0, odd.cutAfter), () => response.destroy());
  }

  #answer(
    { method, path }: S3Call,
    query: URLSearchParams,
    body: Buffer,
  ): { readonly headers?: Record<string, string>; readonly content?: Buffer } | undefined {
    const upload = query.get("uploadId") ?? "";
    const parts = this.uploads.get(upload);
    const found = this.objects.get(path);
    switch (method) {
      case "POST":
        if (query.has("uploads")) {
          this.#count += 1;
          const id = `upload/${this.#count}+x`;
          this.uploads.set(id, new Map());
          return { content: Buffer.from(`<R><UploadId>${id}</UploadId></R>`) };
        }
        if (parts === undefined) return undefined;
        return this.#complete(path, { upload, parts, body });
      case "PUT":
        if (parts !== undefined) {
          parts.set(Number(query.get("partNumber")), body);
          return { headers: { etag: tagOf(body) } };
        }
        if (upload !== "") return undefined;
        this.objects.set(path, body);
        return { headers: { etag: tagOf(body) } };
      case "GET":
        return found && { content: found };
      case "HEAD":
        return found && { headers: { "content-length": String(found.length) } };
      case "DELETE":
        if (upload !== "") this.uploads.delete(upload);
        else this.objects.delete(path);
        return {};
      default:
        return undefined;
    }
  }

  #complete(
    path: string,
    {
      upload,
      parts,
      body,
    }: {
      readonly upload: string;
      readonly parts: ReadonlyMap<number, Buffer>;
      readonly body: Buffer;
    },
  ): { readonly content: Buffer } {
    const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)</g)];
    const pieces = named.map(([, number = "", tag = ""]) => {
      const part = parts.get(Number(number));
      return part !== undefined && tagOf(part) === tag ? part : undefined;
    });
    if (pieces.length === 0 || pieces.includes(undefined)) {
      return { content: Buffer.from("<Error><Code>InvalidPart</Code></Error>") };
    }
    this.objects.set(path, Buffer.concat(pieces as Buffer[]));
    this.uploads.delete(upload);
    return { content: Buffer.from("<R><Key>x</Key></R>") };
  }
}

function tagOf(body: Buffer): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, data: string): Buffer =>
  createHmac("sha256", key).update(data).digest();

/** Returns: what is wrong with the call's signature or with its body's checksum. */
function problemOf(
  { method = "", headers }: IncomingMessage,
  { path, query, body }: { readonly path: string; readonly query: string; readonly body: Buffer },
): string | undefined {
  const form =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/;
  const found = form.exec(headers.authorization ?? "");
  if (found === null) return "no signature";
  const [, id, day = "", region = "", names = "", signature] = found;
  if (id !== s3Keys.id) return "unknown key";
  const sum = String(headers["x-amz-content-sha256"]);
  if (sum !== sha256(body)) return "the body has another checksum";
  const signed = names.split(";");
  if (!["host", "x-amz-content-sha256", "x-amz-date"].every((name) => signed.includes(name))) {
    return "a header is not signed";
  }
  const sorted = query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => (pair.includes("=") ? pair : `${pair}=`))
    .sort()
    .join("&");
  const lines = signed.map((name) => `${name}:${String(headers[name]).trim()}\n`).join("");
  const canonical = [method, path, sorted, lines, names, sum].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const date = String(headers["x-amz-date"]);
  const text = ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n");
  const key = ["s3", "aws4_request"].reduce(hmac, hmac(hmac(`AWS4${s3Keys.secret}`, day), region));
  return hmac(key, text).toString("hex") === signature ? undefined : "another signature";
}

if (import.meta.main) {
  const [, , host = "", port = ""] = process.argv;
  await S3Server.start(host, Number(port));
}
