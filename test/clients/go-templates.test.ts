/**
 * Go's own answers to the cases of packages/template: the docker client is a Go program, and its `--format` is
 * Go's text/template.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

type Case = readonly [
  template: string,
  outcome: { readonly text: string } | { readonly error: string },
];

const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL("../../packages/template/testdata/go-cases.json", import.meta.url), "utf8"),
);

/** Older ones lack `else with` and ranges over numbers. */
const minorMin = 24;

/** Why this test cannot run here; `false` if it can. */
function missing(): string | false {
  let version: string;
  try {
    const args = ["version", "--format", "{{.Client.GoVersion}}"];
    version = execFileSync("docker", ["-H", "tcp://127.0.0.1:1", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch (thrown) {
    // Without an engine it prints its own part and fails.
    version = String((thrown as { stdout?: string }).stdout ?? "");
  }
  const minor = Number(/go1\.(\d+)/.exec(version)?.[1] ?? Number.NaN);
  if (Number.isNaN(minor)) return "there is no docker client on this machine";
  return minor < minorMin && `the docker client is built with Go 1.${minor}, not 1.${minorMin}`;
}

const skip = missing();
const service = {
  ID: "svc1",
  Version: { Index: 1 },
  Spec: { Name: "web", Labels: { app: "shop", "a.b": "dotted" }, TaskTemplate: {}, Mode: {} },
};
let server: Server;
let folder: string;
let host = "";

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "gam-clients-"));
  server = createServer((request, response) => {
    response.setHeader("Api-Version", "1.50");
    response.setHeader("Content-Type", "application/json");
    response.end(request.url?.endsWith("_ping") ? "OK" : JSON.stringify(service));
  });
  const socket = join(folder, "api.sock");
  await new Promise<void>((done) => server.listen(socket, done));
  host = `unix://${socket}`;
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

function format(template: string): Promise<{ out: string; err: string }> {
  const args = ["--config", folder, "-H", host, "service", "inspect", "--format", template, "svc1"];
  return new Promise((done) => {
    execFile("docker", args, { timeout: 30_000 }, (_failure, out, err) => done({ out, err }));
  });
}

/** Runs `work` for all, a few at a time. */
async function each<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const rest = [...all];
  const next = async (): Promise<void> => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: 4 }, next));
}

const batchSize = 30;
const separator = "\u241e";

test("the docker client expands templates as recorded", { skip }, async () => {
  // Templates with names of their own could meet each other in one text.
  const alone = (template: string): boolean => /define|block/.test(template);
  const texts = cases.flatMap(([template, outcome]) => {
    return "text" in outcome ? [{ template, text: outcome.text }] : [];
  });
  const shared = texts.filter(({ template }) => !alone(template));
  const batches = texts.filter(({ template }) => alone(template)).map((one) => [one]);
  for (let at = 0; at < shared.length; at += batchSize) {
    batches.push(shared.slice(at, at + batchSize));
  }
  await each(batches, async (batch) => {
    const between = `{{"${separator}"}}`;
    const { out, err } = await format(batch.map(({ template }) => template).join(between));
    assert.deepEqual(
      out.replace(/\n$/, "").split(separator),
      batch.map(({ text }) => text),
      err,
    );
  });
});

test("the docker client refuses templates as recorded", { skip }, async () => {
  await each(cases, async ([template, outcome]) => {
    if ("text" in outcome) return;
    const { err } = await format(template);
    const found = err.replace(/^template parsing error: |^unable to read inspect result: /g, "");
    assert.equal(found.replace("template parsing error: ", "").trim(), outcome.error, template);
  });
});
