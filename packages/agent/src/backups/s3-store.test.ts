import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { GamError } from "@gam/core";
import type { StoredTar } from "@gam/runtime";
import type { BackupManifest } from "@gam/state/answers";
import { S3Server } from "../testing/s3-server.ts";
import { readS3Credentials, S3Store } from "./s3-store.ts";

const { signal } = new AbortController();
const place = { bucket: "backups", prefix: "a folder/of+gam/" };
const tarPath = "/backups/a folder/of+gam/x.tar";
const data = randomBytes(200_000);

function manifest({ bytes, sha256 }: StoredTar): BackupManifest {
  const madeAt = "2026-01-02T03:04:05.000Z";
  return { format: 1, volume: "data", host: "host1", madeAt, bytes, sha256, labels: {}, notes: [] };
}

function pieces(whole = data): Readable {
  const all = Array.from({ length: 50 }, (_, at) => whole.subarray(at * 4000, (at + 1) * 4000));
  return Readable.from(all);
}

async function begun(t: TestContext): Promise<{ server: S3Server; store: S3Store }> {
  const server = await S3Server.start();
  t.after(() => server.stop());
  const credentials = readS3Credentials(server.credentials, "s3");
  return { server, store: new S3Store({ ...place, credentials, partBytes: 60_000, retryMs: 1 }) };
}

test("a backup goes to the bucket in parts, is read, and is removed", async (t) => {
  const { server, store } = await begun(t);
  const said = await store.write("x.tar", pieces(), { manifest, signal });
  assert.equal(said.bytes, data.length);
  assert.equal(server.calls.filter(({ query }) => query.includes("partNumber")).length, 4);
  assert.deepEqual(server.objects.get(tarPath), data);
  assert.deepEqual(await store.manifest("x.tar"), said);
  assert.deepEqual(await buffer(await store.read("x.tar")), data);
  assert.equal(server.uploads.size, 0);
  await store.remove("x.tar");
  assert.equal(server.objects.size, 0);
  await assert.rejects(store.manifest("x.tar"), { code: "NOT_FOUND", message: /NoSuchKey/ });
});

test("a wrong key is refused by the store, and said", async (t) => {
  const { server } = await begun(t);
  const credentials = { ...readS3Credentials(server.credentials, "s3"), secretAccessKey: "other" };
  const store = new S3Store({ ...place, credentials, retryMs: 1 });
  await assert.rejects(store.write("x.tar", pieces(), { manifest, signal }), {
    code: "REFUSED",
    message: "Cannot use s3://backups: SignatureDoesNotMatch: another signature",
  });
  assert.equal(server.objects.size, 0);
});

test("answers that pass are tried again", async (t) => {
  const { server, store } = await begun(t);
  const seen = new Set<string>();
  server.odd = ({ method, path, query }) => {
    const key = `${method} ${path} ${query}`;
    if (seen.has(key)) return undefined;
    seen.add(key);
    return seen.size % 2 === 0 ? { status: 503, text: "<Code>SlowDown</Code>" } : { cutAfter: 0 };
  };
  await store.write("x.tar", pieces(), { manifest, signal });
  assert.deepEqual(server.objects.get(tarPath), data);
});

const failures: readonly (readonly [
  title: string,
  odd: S3Server["odd"],
  want: { readonly code: string; readonly message: RegExp },
])[] = [
  [
    "503 without end",
    ({ query }) =>
      query.includes("partNumber=2") ? { status: 503, text: "<Code>SlowDown</Code>" } : undefined,
    { code: "UNREACHABLE", message: /SlowDown/ },
  ],
  [
    "403 for a part",
    ({ query }) =>
      query.includes("partNumber=3")
        ? { status: 403, text: "<Code>AccessDenied</Code>" }
        : undefined,
    { code: "REFUSED", message: /AccessDenied/ },
  ],
  [
    "a failure behind a status of 200",
    ({ method, query }) =>
      method === "POST" && query.startsWith("uploadId")
        ? {
            status: 200,
            text: "<Error><Code>InternalError</Code><Message>a &amp; b</Message></Error>",
          }
        : undefined,
    { code: "REFUSED", message: /InternalError: a & b/ },
  ],
  [
    "an upload without an id",
    ({ query }) => (query === "uploads=" ? { status: 200, text: "what?" } : undefined),
    { code: "BAD_FRAME", message: /without an id/ },
  ],
  [
    "a redirect",
    ({ query }) => (query === "uploads=" ? { status: 301, text: "" } : undefined),
    { code: "REFUSED", message: /status 301/ },
  ],
];

for (const [title, odd, want] of failures) {
  test(`${title}: nothing looks whole, and no part is left`, async (t) => {
    const { server, store } = await begun(t);
    server.odd = odd;
    await assert.rejects(store.write("x.tar", pieces(), { manifest, signal }), want);
    server.odd = () => undefined;
    assert.equal(server.objects.size, 0);
    assert.equal(server.uploads.size, 0);
    await assert.rejects(store.manifest("x.tar"), { code: "NOT_FOUND" });
  });
}

test("a tar that breaks or is denied becomes no object", async (t) => {
  const { server, store } = await begun(t);
  const broken = Readable.from(
    (async function* () {
      yield data;
      throw new GamError("UNREACHABLE", "the host was lost");
    })(),
  );
  await assert.rejects(store.write("x.tar", broken, { manifest, signal }), /the host was lost/);
  const deny = (): never => {
    throw new GamError("CORRUPT_FILE", "something else arrived");
  };
  await assert.rejects(
    store.write("x.tar", pieces(), { manifest: deny, signal }),
    /something else/,
  );
  assert.equal(server.objects.size, 0);
  assert.equal(server.uploads.size, 0);
});

test("a read that is cut off fails, and an object of another size is no backup", async (t) => {
  const { server, store } = await begun(t);
  await store.write("x.tar", pieces(), { manifest, signal });
  server.odd = ({ method, path }) =>
    method === "GET" && path.endsWith(".tar") ? { cutAfter: 1000 } : undefined;
  await assert.rejects(buffer(await store.read("x.tar")));
  server.odd = () => undefined;
  server.objects.set(tarPath, data.subarray(1));
  await assert.rejects(store.manifest("x.tar"), { code: "CORRUPT_FILE" });
});

test("a store that does not answer is named", async () => {
  const server = await S3Server.start();
  const credentials = readS3Credentials(server.credentials, "s3");
  server.stop();
  const store = new S3Store({ ...place, credentials, retryMs: 1 });
  await assert.rejects(store.manifest("x.tar"), {
    code: "UNREACHABLE",
    message: /Cannot reach the store of s3:\/\/backups: .*ECONNREFUSED/,
  });
});

const texts: readonly (readonly [title: string, text: string, want: RegExp | undefined])[] = [
  [
    "exported, quoted, with comments",
    "# x\nexport AWS_ACCESS_KEY_ID='a'\n\nAWS_SECRET_ACCESS_KEY=b\r\n",
    undefined,
  ],
  ["no key", "AWS_SECRET_ACCESS_KEY=hidden", /"s3": AWS_ACCESS_KEY_ID is missing/],
  ["no secret key", "AWS_ACCESS_KEY_ID=hidden", /AWS_SECRET_ACCESS_KEY is missing/],
  ["another name", "AWS_ACCESS_KEY=hidden", /line 1 sets none of the known names/],
  ["JSON", '{"key":"hidden"}', /line 1 sets none/],
  [
    "an address with a path",
    "AWS_ACCESS_KEY_ID=hidden\nAWS_SECRET_ACCESS_KEY=hidden\nAWS_ENDPOINT_URL=http://x/y",
    /AWS_ENDPOINT_URL is no address/,
  ],
];

for (const [title, text, want] of texts) {
  test(`credentials: ${title}`, () => {
    if (want === undefined) {
      const found = readS3Credentials(text, "s3");
      assert.deepEqual(
        [found.accessKeyId, found.secretAccessKey, found.region],
        ["a", "b", "us-east-1"],
      );
      return;
    }
    assert.throws(
      () => readS3Credentials(text, "s3"),
      ({ message }: Error) => want.test(message) && !message.includes("hidden"),
    );
  });
}
