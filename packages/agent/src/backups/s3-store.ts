/**
 * S3 store: backups as objects of a bucket, each a tar and a manifest.
 *
 * A tar is sent in parts, each with its SHA-256, which the store checks. It becomes an object only when all parts are
 * there; its manifest comes last. A try that failed is given up, so that no parts stay behind.
 *
 * Signs with aws4fetch (signature version 4): 10 kB without dependencies, for Node's own fetch.
 *
 * Source: Amazon S3 API reference, multipart uploads.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { GamError, messageOf, rethrowInvariant } from "@gam/core";
import { readManifest, type StoredTar, type StoreOptions } from "@gam/runtime";
import { type BackupManifest, manifestFile } from "@gam/state/answers";
import { AwsV4Signer } from "aws4fetch";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly region: string;
  /** Of another store than Amazon's: its address. */
  readonly endpoint?: string;
}

export interface S3StoreOptions {
  readonly bucket: string;
  /** "" or ends with a slash. */
  readonly prefix: string;
  readonly credentials: S3Credentials;
  /** Of the first parts. Later ones are larger, because a tar has at most 10,000. */
  readonly partBytes?: number;
  /** Before the second try; doubled for each one. */
  readonly retryMs?: number;
}

const partBytesDefault = 16 << 20;
/** After so many parts their size doubles: 10,000 parts have a terabyte. */
const doublingParts = 2000;
const triesMax = 5;
const retryMsDefault = 500;
const answerMsMax = 120_000;
const partMsMax = 900_000;
const textMax = 1 << 20;

interface Call {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly key: string;
  readonly query?: string;
  readonly body?: Uint8Array;
  readonly limitMs?: number;
  readonly signal?: AbortSignal;
  /** The answer is read by the caller, in its own time. */
  readonly isStream?: true;
}

interface Answer {
  readonly headers: Headers;
  /** "" for a stream. */
  readonly text: string;
  readonly body: Response["body"];
}

const names = {
  AWS_ACCESS_KEY_ID: "accessKeyId",
  AWS_SECRET_ACCESS_KEY: "secretAccessKey",
  AWS_SESSION_TOKEN: "sessionToken",
  AWS_REGION: "region",
  AWS_ENDPOINT_URL: "endpoint",
} as const;

/**
 * Reads lines such as `AWS_ACCESS_KEY_ID=…`, with the names that Amazon's tools use.
 *
 * Errors: BAD_REQUEST, with the name of what is wrong or missing and never with a value.
 */
export function readS3Credentials(text: string, secret: string): S3Credentials {
  const found: Record<string, string> = { region: "us-east-1" };
  const refuse = (what: string): never => {
    const known = Object.keys(names).join(", ");
    const message = `Cannot use secret "${secret}": ${what}. It has lines such as AWS_ACCESS_KEY_ID=…, with ${known}`;
    throw new GamError("BAD_REQUEST", message);
  };
  for (const [at, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const [, name = "", value = ""] = /^(?:export )?([A-Z_]+)=(.*)$/.exec(trimmed) ?? [];
    if (!Object.hasOwn(names, name)) refuse(`line ${at + 1} sets none of the known names`);
    found[names[name as keyof typeof names]] = value.replace(/^(["'])(.*)\1$/, "$2");
  }
  const { accessKeyId, secretAccessKey, region = "", endpoint } = found;
  if (!accessKeyId) refuse("AWS_ACCESS_KEY_ID is missing");
  if (!secretAccessKey) refuse("AWS_SECRET_ACCESS_KEY is missing");
  if (!/^[a-z0-9-]{1,64}$/.test(region)) refuse("AWS_REGION is no region");
  if (endpoint !== undefined && !/^https?:\/\/[^/\s]+\/?$/.test(endpoint)) {
    refuse("AWS_ENDPOINT_URL is no address such as https://s3.example.com");
  }
  return found as unknown as S3Credentials;
}

export class S3Store {
  readonly #options: S3StoreOptions;

  constructor(options: S3StoreOptions) {
    this.#options = options;
  }

  /** As BackupFolder.write(). Errors: REFUSED, NOT_FOUND, UNREACHABLE; those of `from` and `manifest`. */
  async write(
    file: string,
    from: Readable,
    { manifest, signal }: StoreOptions,
  ): Promise<BackupManifest> {
    const begun = await this.#insist({ method: "POST", key: file, query: "uploads=", signal });
    const upload = inTag(begun.text, "UploadId");
    if (upload === undefined) throw odd("it began an upload without an id");
    let said: BackupManifest;
    try {
      const { parts, found } = await this.#send(file, from, { upload, signal });
      // Before the object exists: what the reader of the volume denies must not become one.
      said = manifest(found);
      await this.#complete(file, { upload, parts, signal });
    } catch (thrown) {
      await this.#giveUp(file, upload);
      throw thrown;
    }
    await this.#insistOnSize(file, said.bytes);
    const body = Buffer.from(`${JSON.stringify(said, undefined, 2)}\n`);
    await this.#insist({ method: "PUT", key: manifestFile(file), body, signal });
    return said;
  }

  /** Errors: NOT_FOUND; CORRUPT_FILE; REFUSED; UNREACHABLE. */
  async manifest(file: string): Promise<BackupManifest> {
    const key = manifestFile(file);
    const manifest = readManifest((await this.#insist({ method: "GET", key })).text, key);
    await this.#insistOnSize(file, manifest.bytes);
    return manifest;
  }

  /** The stream fails if it is cut off. */
  async read(file: string): Promise<Readable> {
    const { body } = await this.#insist({ method: "GET", key: file, isStream: true });
    if (body === null) throw odd("it sent no data");
    return Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  }

  /** Removes a backup; the manifest first, so that what is left does not look whole. */
  async remove(file: string): Promise<void> {
    for (const key of [manifestFile(file), file]) {
      await this.#insist({ method: "DELETE", key });
    }
  }

  async #send(
    file: string,
    from: Readable,
    { upload, signal }: { readonly upload: string; readonly signal: AbortSignal },
  ): Promise<{ readonly parts: readonly string[]; readonly found: StoredTar }> {
    const { partBytes = partBytesDefault } = this.#options;
    const hash = createHash("sha256");
    const parts: string[] = [];
    let total = 0;
    let waiting: Buffer[] = [];
    let waitingBytes = 0;
    const flush = async (): Promise<void> => {
      const body = Buffer.concat(waiting);
      [waiting, waitingBytes] = [[], 0];
      const query = `partNumber=${parts.length + 1}&uploadId=${encodeURIComponent(upload)}`;
      const call = { method: "PUT", key: file, query, body, limitMs: partMsMax, signal } as const;
      const tag = (await this.#insist(call)).headers.get("etag");
      if (tag === null) throw odd("it took a part without an ETag");
      parts.push(tag);
    };
    for await (const piece of from as AsyncIterable<Buffer>) {
      hash.update(piece);
      total += piece.length;
      waiting.push(piece);
      waitingBytes += piece.length;
      if (waitingBytes >= partBytes * 2 ** Math.floor(parts.length / doublingParts)) await flush();
    }
    if (waitingBytes > 0 || parts.length === 0) await flush();
    return { parts, found: { bytes: total, sha256: hash.digest("hex") } };
  }

  async #complete(
    file: string,
    {
      upload,
      parts,
      signal,
    }: {
      readonly upload: string;
      readonly parts: readonly string[];
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const rows = parts.map((tag, at) => {
      return `<Part><PartNumber>${at + 1}</PartNumber><ETag>${inXml(tag)}</ETag></Part>`;
    });
    const body = Buffer.from(`<CompleteMultipartUpload>${rows.join("")}</CompleteMultipartUpload>`);
    const query = `uploadId=${encodeURIComponent(upload)}`;
    const call = { method: "POST", key: file, query, body, limitMs: partMsMax, signal } as const;
    const { text } = await this.#insist(call);
    // The store says 200 before it is sure.
    if (inTag(text, "Code") !== undefined) throw this.#refusal(200, text);
  }

  async #giveUp(file: string, upload: string): Promise<void> {
    const query = `uploadId=${encodeURIComponent(upload)}`;
    try {
      await this.#insist({ method: "DELETE", key: file, query });
    } catch (thrown) {
      // The reason for giving up matters more. Buckets can remove such parts by a rule of their own.
      if (!(thrown instanceof GamError)) throw thrown;
    }
  }

  async #insistOnSize(file: string, bytes: number): Promise<void> {
    const { headers } = await this.#insist({ method: "HEAD", key: file });
    const found = Number(headers.get("content-length") ?? Number.NaN);
    if (found === bytes) return;
    const said = `"${file}" has ${found} bytes, and its manifest says ${bytes}`;
    throw new GamError("CORRUPT_FILE", `Cannot use backup: ${said}`);
  }

  /** Resolves to an answer that is no refusal. Tries again where that may help. */
  async #insist(call: Call): Promise<Answer> {
    const { retryMs = retryMsDefault } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const found = await this.#try(call);
      if ("headers" in found) return found;
      if (!found.again || tries >= triesMax || call.signal?.aborted) throw found.error;
      await pause(retryMs * 2 ** (tries - 1));
    }
  }

  async #try(call: Call): Promise<Answer | { readonly error: GamError; readonly again: boolean }> {
    const { limitMs = answerMsMax, signal, isStream = false } = call;
    const signals = [signal, isStream ? undefined : AbortSignal.timeout(limitMs)];
    try {
      const { url, method, headers } = await this.#signed(call);
      const answer = await fetch(url, {
        ...{ method, headers, redirect: "manual" },
        ...(call.body && { body: new Uint8Array(call.body) }),
        signal: AbortSignal.any(signals.filter((one) => one !== undefined)),
      });
      const { status, body } = answer;
      const text = answer.ok && isStream ? "" : (await answer.text()).slice(0, textMax);
      if (answer.ok) return { headers: answer.headers, text, body };
      return { error: this.#refusal(status, text), again: status >= 500 || status === 429 };
    } catch (thrown) {
      rethrowInvariant(thrown);
      if (thrown instanceof GamError) return { error: thrown, again: false };
      const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
      const message = `Cannot reach the store of s3://${this.#options.bucket}: ${messageOf(cause)}`;
      return { error: new GamError("UNREACHABLE", message, { cause: thrown }), again: true };
    }
  }

  async #signed({ method, key, query, body }: Call) {
    const { bucket, prefix, credentials } = this.#options;
    const { endpoint, region } = credentials;
    const path = `${prefix}${key}`.split("/").map(encodeURIComponent).join("/");
    const base =
      endpoint === undefined
        ? `https://${bucket}.s3.${region}.amazonaws.com`
        : `${endpoint.replace(/\/$/, "")}/${bucket}`;
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const sum = createHash("sha256")
      .update(body ?? "")
      .digest("hex");
    const signer = new AwsV4Signer({
      ...{ method, url: `${base}/${path}${query === undefined ? "" : `?${query}`}` },
      ...{ accessKeyId, secretAccessKey, region, service: "s3" },
      ...(sessionToken && { sessionToken }),
      headers: { "x-amz-content-sha256": sum },
    });
    return await signer.sign();
  }

  #refusal(status: number, text: string): GamError {
    const code = inTag(text, "Code");
    const message = inTag(text, "Message");
    const said = [code ?? `status ${status}`, message]
      .filter((one) => one !== undefined)
      .join(": ");
    return new GamError(
      status === 404 ? "NOT_FOUND" : status >= 500 || status === 429 ? "UNREACHABLE" : "REFUSED",
      `Cannot use s3://${this.#options.bucket}: ${said}`,
    );
  }
}

function odd(found: string): GamError {
  return new GamError("BAD_FRAME", `Cannot use the store of the bucket: ${found}`);
}

/** Returns: what is in the first element of the name; its answers have no nested elements of one name. */
function inTag(xml: string, tag: string): string | undefined {
  const found = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1];
  return found?.replace(/&(quot|amp|lt|gt);/g, (_, name: keyof typeof entities) => entities[name]);
}

const entities = { quot: '"', amp: "&", lt: "<", gt: ">" } as const;

function inXml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
