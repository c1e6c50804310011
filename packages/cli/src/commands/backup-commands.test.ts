import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import type { BackupManifest } from "@gam/state/answers";
import { run } from "../program.ts";
import { fakeAgent, refusal, type Script } from "../testing/fake-agent.ts";

const home = mkdtempSync(join(tmpdir(), "gam-cli-backup-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));
let folders = 0;

function folder(): string {
  folders += 1;
  return mkdtempSync(join(home, `f${folders}-`));
}

function manifestOf(tar: string, notes: readonly string[] = []): BackupManifest {
  const sha256 = createHash("sha256").update(tar).digest("hex");
  const madeAt = "2026-01-02T03:04:05.000Z";
  return {
    format: 1,
    volume: "db",
    host: "host2",
    madeAt,
    bytes: tar.length,
    sha256,
    labels: {},
    notes,
  };
}

const inBase64 = (said: string): string => Buffer.from(said).toString("base64");

interface Ran {
  readonly exit: number;
  readonly printed: string;
  readonly complained: string;
  readonly out: string;
}

async function gam(
  socket: string,
  words: readonly string[],
  more: { readonly cwd?: string; readonly says?: string; readonly stdin?: string } = {},
): Promise<Ran> {
  const printed: string[] = [];
  const complained: string[] = [];
  const [input, out] = [new PassThrough(), new PassThrough()];
  input.end(more.stdin ?? "");
  const exit = await run(["volume", ...words], {
    environment: { GAM_SOCKET: socket },
    cwd: more.cwd ?? "/",
    isTerminal: false,
    pause: () => Promise.resolve(),
    onInterrupt: () => () => undefined,
    nowMs: () => 0,
    data: { in: input, out },
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    ...(more.says !== undefined && { ask: async () => more.says ?? "" }),
  });
  out.end();
  const [lines, problems] = [printed, complained].map((all) => all.join("\n")) as [string, string];
  return { exit, printed: lines, complained: problems, out: await text(out) };
}

/** An agent that streams a backup: the text, then these trailers; or cuts the stream without any. */
async function streaming(
  t: TestContext,
  tar: string,
  trailers: Record<string, string> | "cut",
): Promise<string> {
  const server = createServer((call: IncomingMessage, answer) => {
    call.resume();
    answer.writeHead(200, { trailer: "gam-manifest, gam-error" });
    answer.write(tar, () => {
      if (trailers === "cut") return void answer.destroy();
      answer.addTrailers(trailers);
      answer.end();
    });
  });
  const socket = join(folder(), "gam.sock");
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  return socket;
}

test("a backup to a file has its manifest beside it", async (t) => {
  const manifest = manifestOf("files", ["a.log changed"]);
  const socket = await streaming(t, "files", {
    "gam-manifest": inBase64(JSON.stringify(manifest)),
  });
  const cwd = folder();
  const { exit, printed, complained } = await gam(socket, ["backup", "db", "-o", "x.tar"], { cwd });
  assert.equal(exit, 0, complained);
  assert.equal(printed, `Volume db of host2 is in x.tar: 5 B, SHA-256 ${manifest.sha256}`);
  assert.equal(complained, "Note: a.log changed");
  assert.deepEqual(readdirSync(cwd).sort(), ["x.json", "x.tar"]);
  assert.deepEqual(JSON.parse(readFileSync(join(cwd, "x.json"), "utf8")), manifest);
});

test("a backup to standard output", async (t) => {
  const manifest = manifestOf("files");
  const socket = await streaming(t, "files", {
    "gam-manifest": inBase64(JSON.stringify(manifest)),
  });
  const { exit, printed, complained, out } = await gam(socket, ["backup", "db", "-o", "-"]);
  assert.deepEqual([exit, printed, out], [0, "", "files"]);
  assert.match(complained, /is in standard output: 5 B/);
});

const broken: readonly (readonly [
  title: string,
  trailers: Record<string, string> | "cut",
  want: RegExp,
])[] = [
  [
    "the agent says why",
    { "gam-error": inBase64("files changed – twice") },
    /gam: files changed – twice/,
  ],
  ["the stream is cut", "cut", /Cannot reach agent/],
  ["nothing is said", {}, /the data was cut off/],
  [
    "something else arrives",
    { "gam-manifest": inBase64(JSON.stringify(manifestOf("other"))) },
    /it reads back changed/,
  ],
];

for (const [title, trailers, want] of broken) {
  test(`a backup that fails leaves nothing that looks whole: ${title}`, async (t) => {
    const socket = await streaming(t, "files", trailers);
    const cwd = folder();
    writeFileSync(join(cwd, "y.tar"), "earlier");
    for (const file of ["x.tar", "y.tar"]) {
      const { exit, complained } = await gam(socket, ["backup", "db", "-o", file], { cwd });
      assert.equal(exit, 1);
      assert.match(complained, want);
    }
    assert.deepEqual(readdirSync(cwd), ["y.tar"]);
    assert.equal(readFileSync(join(cwd, "y.tar"), "utf8"), "earlier");
  });
}

async function agentWith(t: TestContext, script: Script) {
  const agent = await fakeAgent(script);
  t.after(() => agent.close());
  return agent;
}

const row = {
  ...{ id: "b1", volume: "db", host: "host2", to: "/srv/b", by: "hand", dueMs: 0 },
  ...{ state: "complete", reason: "", endedMs: 5, file: "db-x.tar", bytes: 2048, sha256: "ab" },
};

test("a backup to a place waits for its end, and says where it is", async (t) => {
  const agent = await agentWith(t, {
    "POST /gam/v1/volumes/db/backups": { backup: "b1" },
    "GET /gam/v1/backups": { schedules: [], backups: [row], missed: [] },
  });
  const { exit, printed } = await gam(agent.socket, ["backup", "db", "--to", "/srv/b"]);
  assert.equal(exit, 0);
  assert.equal(printed, "Volume db of host2 is in /srv/b/db-x.tar: 2 KiB, SHA-256 ab");
  assert.deepEqual(agent.heard[0]?.body, { to: "/srv/b" });
});

test("a backup to a place that fails says why", async (t) => {
  const failed = { ...row, state: "failed", reason: "Cannot store backup: no", file: "" };
  const agent = await agentWith(t, {
    "POST /gam/v1/volumes/db/backups": { backup: "b1" },
    "GET /gam/v1/backups": { schedules: [], backups: [failed], missed: [] },
  });
  const { exit, complained, printed } = await gam(agent.socket, ["backup", "db", "--to", "/srv/b"]);
  assert.deepEqual([exit, printed], [1, ""]);
  assert.equal(complained, "gam: Volume db was not backed up. Cannot store backup: no");
  const both = await gam(agent.socket, ["backup", "db", "-o", "x.tar", "--to", "/srv"]);
  assert.match(both.complained, /leave --to, --secret and --detach out/);
});

test("ls shows schedules, backups and what was missed", async (t) => {
  const list = {
    schedules: [
      {
        volume: "db",
        service: "shop_db",
        schedule: "@daily UTC",
        to: "/srv/b",
        keep: 7,
        nextMs: 0,
      },
    ],
    backups: [row, { ...row, id: "b2", volume: "other" }],
    missed: [{ volume: "db", fromMs: 1000, untilMs: 1000, count: 1, reason: "host2 was down" }],
  };
  const agent = await agentWith(t, { "GET /gam/v1/backups": list });
  const { printed } = await gam(agent.socket, ["backup", "ls", "db"]);
  assert.equal(
    printed,
    [
      'Volume db: "@daily UTC" to /srv/b (service shop_db), keeps 7, next 1970-01-01 00:00:00',
      "",
      "VOLUME  DUE                  HOST   BY        RESULT    SIZE   ID  WHERE OR WHY NOT",
      "db      1970-01-01 00:00:01  -      schedule  missed    -      -   host2 was down",
      "db      1970-01-01 00:00:00  host2  hand      complete  2 KiB  b1  /srv/b/db-x.tar",
    ].join("\n"),
  );
});

const plan = {
  ...{ volume: "db", host: "host2", source: "/srv/b/db-x.tar", manifest: manifestOf("files") },
  backup: "b1",
  ...{ exists: true, presentBytes: 4096, freeBytes: 1 << 30, stops: ["shop_db.1"], obstacle: "" },
};
const volumes = {
  volumes: [
    {
      ...{ name: "db", homes: [], leftovers: [] },
      lastRestore: { id: "r1", host: "host2", source: "/srv/b/db-x.tar", bytes: 5 },
    },
  ],
};
const script: Script = {
  "POST /gam/v1/volumes/db/restore/plan": plan,
  "POST /gam/v1/volumes/db/restore": { restore: "r1" },
  "GET /gam/v1/volumes": volumes,
};
const shown = [
  "From /srv/b/db-x.tar: volume db of host2, made at 2026-01-02T03:04:05.000Z, 5 B",
  "Replaces all data of volume db on host2: 4 KiB. 1 GiB are free there",
  "Stops shop_db.1 when the backup is whole on host2, and starts it again with the data",
].join("\n");

const asked: readonly (readonly [
  title: string,
  words: readonly string[],
  says: string | undefined,
  want: { readonly exit: number; readonly does: boolean; readonly complained: RegExp },
])[] = [
  ["only the plan", ["--plan"], undefined, { exit: 0, does: false, complained: /^$/ }],
  ["no terminal", [], undefined, { exit: 1, does: false, complained: /To restore, add --yes/ }],
  ["no", [], "no", { exit: 1, does: false, complained: /Nothing was done/ }],
  ["yes", [], "yes", { exit: 0, does: true, complained: /^$/ }],
  ["--yes", ["--yes"], undefined, { exit: 0, does: true, complained: /^$/ }],
];

for (const [title, words, says, want] of asked) {
  test(`a restore is shown first: ${title}`, async (t) => {
    const agent = await agentWith(t, script);
    const options = says === undefined ? {} : { says };
    const { exit, printed, complained } = await gam(
      agent.socket,
      ["restore", "db", ...words],
      options,
    );
    assert.equal(exit, want.exit);
    assert.match(complained, want.complained);
    assert.ok(printed.startsWith(shown), printed);
    const done = agent.heard.filter(({ call }) => call === "POST /gam/v1/volumes/db/restore");
    assert.deepEqual(
      done.map(({ body }) => body),
      want.does ? [{ backup: "b1" }] : [],
      "the backup that was shown",
    );
    const end = "Volume db on host2 is restored from /srv/b/db-x.tar";
    assert.equal(printed.endsWith(end), want.does);
  });
}

test("what cannot be restored is said, and nothing is sent", async (t) => {
  const obstacle = "container mine uses it";
  const agent = await agentWith(t, {
    "POST /gam/v1/volumes/db/restore/plan": { ...plan, obstacle },
  });
  const { exit, complained } = await gam(agent.socket, ["restore", "db", "--yes"]);
  assert.equal(exit, 1);
  assert.equal(complained, "gam: Cannot restore volume db: container mine uses it");
});

test("a restore that fails says that the data is as it was", async (t) => {
  const [volume] = volumes.volumes;
  const failed = { ...volume, lastRestore: { ...volume?.lastRestore, error: "the disk failed" } };
  const agent = await agentWith(t, { ...script, "GET /gam/v1/volumes": { volumes: [failed] } });
  const { exit, complained } = await gam(agent.socket, ["restore", "db", "--yes"]);
  assert.equal(exit, 1);
  assert.match(complained, /the disk failed. Its data is as it was/);
});

test("a file is sent with its manifest, and one without a manifest is said to have none", async (t) => {
  const cwd = folder();
  writeFileSync(join(cwd, "x.tar"), "files");
  const heard: { url: string; body: string }[] = [];
  const server = createServer((call, answer) => {
    void text(call).then((body) => {
      heard.push({ url: `${call.method} ${call.url}`, body });
      const isPlan = call.url?.endsWith("/plan") === true;
      const manifest = isPlan ? (JSON.parse(body).manifest ?? null) : undefined;
      answer.end(JSON.stringify(isPlan ? { ...plan, manifest } : { restore: "r1" }));
    });
  });
  const socket = join(folder(), "gam.sock");
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  const words = ["restore", "db", "-i", "x.tar", "--on", "host2", "--yes", "--detach"];
  const without = await gam(socket, words, { cwd });
  assert.equal(without.exit, 0, without.complained);
  assert.match(without.printed, /it has no manifest, so only its form can be checked/);
  writeFileSync(join(cwd, "x.json"), JSON.stringify(manifestOf("files")));
  assert.equal((await gam(socket, words, { cwd })).exit, 0);
  const piped = await gam(socket, ["restore", "db", "-i", "-", "--yes", "-d"], { stdin: "piped" });
  assert.equal(piped.exit, 0, piped.complained);
  const sent = heard.filter(({ url }) => url.startsWith("PUT"));
  assert.deepEqual(
    sent.map(({ body }) => body),
    ["files", "files", "piped"],
  );
  assert.match(sent[1]?.url ?? "", /host=host2&manifest=/);
  writeFileSync(join(cwd, "x.json"), "{}");
  assert.match((await gam(socket, words, { cwd })).complained, /Cannot read .*x.json/);
  assert.ok(!existsSync(join(cwd, "x.tar.partial")));
});

test("an agent that refuses is quoted", async (t) => {
  const agent = await agentWith(t, {
    "POST /gam/v1/volumes/db/restore/plan": refusal(404, "volume db: no whole backup is known"),
  });
  const { exit, complained } = await gam(agent.socket, ["restore", "db"]);
  assert.equal(exit, 1);
  assert.match(complained, /no whole backup is known/);
});
