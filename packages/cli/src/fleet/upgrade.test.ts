import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { GamError } from "@gam/core";
import type { HostGam, InstallEnd, UpgradeHost, UpgradeReport } from "@gam/state/answers";
import fc from "fast-check";
import type { CommandIo } from "../agent/command-io.ts";
import { nodeIdOf } from "../testing/a-status.ts";
import { anUpgradeHost, anUpgradeReport, aPackage, upgraded } from "../testing/an-upgrade.ts";
import { type UpgradeClient, type UpgradeEnd, type UpgradeOptions, upgrade } from "./upgrade.ts";

class Killed extends Error {}

/** A mesh of hosts that install what they are told to. host1 is asked. */
class Fleet implements UpgradeClient {
  readonly hosts: UpgradeHost[];
  /** Hosts in the order in which their installation began. */
  readonly began: string[] = [];
  /** What goes wrong at a host. */
  readonly faults = new Map<string, InstallEnd>();
  /** The call before which the command is killed. */
  killAt = Number.POSITIVE_INFINITY;
  calls = 0;
  /** Looks until the host that installs is over it. */
  #looks = 0;
  #busy: { readonly id: string; readonly sha256: string } | undefined;

  constructor(hosts: readonly UpgradeHost[]) {
    this.hosts = [...hosts];
  }

  get versions(): string[] {
    return this.hosts.map(({ gam }) => gam?.version ?? "?");
  }

  async get(path: string): Promise<unknown> {
    this.#call();
    assert.equal(path, "/gam/v1/upgrade");
    this.#pass();
    const busy = this.#busy;
    if (busy?.id === nodeIdOf(1) && this.#looks < 2)
      throw new GamError("UNREACHABLE", "it restarts");
    return this.#report();
  }

  async post(path: string, body: unknown): Promise<unknown> {
    this.#call();
    const { host, sha256 } = body as { readonly host: string; readonly sha256: string };
    if (path.endsWith("/give")) {
      this.#change(host, (gam) => ({ kept: [...gam.kept, aPackage("b")] }));
      return { state: "done", bytes: 1, reason: "" };
    }
    assert.equal(this.#busy, undefined, "one host at a time");
    for (const { gam, heard, id } of this.hosts) assert.ok(id === host || (gam !== null && heard));
    this.began.push(this.hosts.find(({ id }) => id === host)?.hostname ?? host);
    this.#busy = { id: host, sha256 };
    this.#looks = 4;
    this.#change(host, () => ({ installing: sha256 }));
    return {};
  }

  async upload(): Promise<unknown> {
    this.#call();
    return aPackage("b");
  }

  #call(): void {
    this.calls += 1;
    if (this.calls >= this.killAt) throw new Killed();
  }

  #pass(): void {
    const busy = this.#busy;
    if (busy === undefined) return;
    this.#looks -= 1;
    if (this.#looks > 0) return;
    this.#busy = undefined;
    const hostname = this.hosts.find(({ id }) => id === busy.id)?.hostname ?? "";
    const end = this.faults.get(hostname) ?? "installed";
    this.#change(busy.id, (gam) => ({
      installing: "",
      last: { sha256: busy.sha256, end, printed: "first line\nlast line" },
      ...(end === "installed" && {
        version: gam.kept.find(({ sha256 }) => sha256 === busy.sha256)?.version ?? "?",
        earlier: "",
      }),
    }));
  }

  #report(): UpgradeReport {
    const hosts = this.hosts.map((host) => {
      const isAway = host.id === this.#busy?.id && this.#looks === 1;
      return isAway ? { ...host, gam: null, heard: false, problem: "it restarts" } : host;
    });
    return anUpgradeReport(hosts);
  }

  #change(id: string, change: (gam: HostGam) => Partial<HostGam>): void {
    const at = this.hosts.findIndex((host) => host.id === id);
    const host = this.hosts[at];
    assert.ok(host?.gam);
    this.hosts[at] = { ...host, gam: { ...host.gam, ...change(host.gam) } };
  }
}

const folder = mkdtempSync(join(tmpdir(), "gam-upgrade-"));
test.after(() => rmSync(folder, { recursive: true }));
const file = aPackage("b").name;
writeFileSync(join(folder, file), "a package");
const sha256 = "e79d4a7a1d0c4c1c0d4ad5a7d1a0f1a9f6b5f1c8a2f4e6d8c0b2a4f6e8d0c2b4";

interface Ran {
  readonly end: UpgradeEnd;
  readonly printed: string;
  readonly complained: string;
}

async function run(fleet: Fleet, options: Partial<UpgradeOptions>, interruptAt = -1): Promise<Ran> {
  const printed: string[] = [];
  const complained: string[] = [];
  let nowMs = 0;
  let pauses = 0;
  let interrupt = (): void => undefined;
  const io: CommandIo = {
    environment: {},
    cwd: folder,
    isTerminal: false,
    nowMs: () => nowMs,
    pause: async (ms) => {
      nowMs += ms;
      pauses += 1;
      if (pauses === interruptAt) interrupt();
    },
    onInterrupt: (call) => {
      interrupt = call;
      return () => undefined;
    },
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
  };
  const end = await upgrade(fleet, io, { to: [], skip: [], ...options });
  return { end, printed: printed.join("\n"), complained: complained.join("\n") };
}

const three = (): UpgradeHost[] => [
  anUpgradeHost(1),
  anUpgradeHost(2, { role: "leader" }),
  anUpgradeHost(3),
];
const threeUpgraded = (): UpgradeHost[] =>
  three().map((host, at) => ({
    ...anUpgradeHost(at + 1, { gam: upgraded("a", "b") }),
    role: host.role,
  }));

test("upgrade without a file shows the versions, and where the hosts can go back to", async () => {
  const { printed } = await run(new Fleet(threeUpgraded()), {});
  assert.match(printed, /^host1 +voter +0\.1\.0\+b +0\.1\.0\+a$/m);
  assert.match(printed, /gam upgrade --to FILE/);
  assert.match(printed, /^To go back to 0\.1\.0\+a on all hosts, run "gam upgrade --back"$/m);
});

test("upgrade --back goes from host to host, in order", async () => {
  const fleet = new Fleet(threeUpgraded());
  const { end, printed } = await run(fleet, { back: true });
  assert.equal(end, "done");
  assert.deepEqual(fleet.began, ["host3", "host2", "host1"]);
  assert.deepEqual(new Set(fleet.versions), new Set(["0.1.0+a"]));
  assert.match(printed, /^host3 \(1 of 3\): gam_0\.1\.0_amd64\.deb$/m);
  assert.match(printed, /^All hosts run 0\.1\.0\+a$/m);
  await assert.rejects(run(fleet, { back: true }), /have gone back already/);
});

test("upgrade --plan changes nothing", async () => {
  const fleet = new Fleet(threeUpgraded());
  const { printed } = await run(fleet, { back: true, plan: true });
  assert.match(printed, /^3 +host1 +voter +0\.1\.0\+b +0\.1\.0\+a$/m);
  assert.deepEqual(fleet.began, []);
});

for (const [fault, message] of [
  ["reverted", /host2: the new agent did not start, and the host has gone back by itself/],
  ["failed", /host2: the package could not be installed, and the host was left as it was/],
  ["stuck", /host2: the installation was interrupted/],
] as const) {
  test(`upgrade stops at a host whose installation ${fault}`, async () => {
    const fleet = new Fleet(threeUpgraded());
    fleet.faults.set("host2", fault);
    const { end, complained } = await run(fleet, { back: true });
    assert.equal(end, "failed");
    assert.match(complained, message);
    assert.match(complained, /It printed:\n {2}first line\n {2}last line$/m);
    assert.match(complained, /Run the same command again to go on/);
    assert.deepEqual(fleet.versions, ["0.1.0+b", "0.1.0+b", "0.1.0+a"]);
  });
}

test("upgrade begins with no host while one cannot take part, unless it is left out", async () => {
  const hosts = threeUpgraded();
  hosts[2] = anUpgradeHost(3, { gam: null });
  const fleet = new Fleet(hosts);
  const { end, complained } = await run(fleet, { to: [], back: true, skip: ["host1"] });
  assert.equal(end, "failed");
  assert.match(complained, /^host3: it does not answer: it is not connected$/m);
  assert.deepEqual(fleet.began, []);
  await assert.rejects(run(fleet, { back: true, skip: ["host9"] }), /there is no such host/);
});

test("upgrade refuses a file with another sum", async () => {
  await assert.rejects(
    run(new Fleet(three()), { to: [file], sha256 }),
    /and e79d4a7a.* was expected/,
  );
  await assert.rejects(run(new Fleet(three()), { to: [file] }), /there is no sum to check it with/);
  await assert.rejects(run(new Fleet(three()), { to: ["x.zip"] }), /packages are named/);
});

/** The last host may have ended by itself, and then there is nothing to go back from. */
async function goOn(fleet: Fleet): Promise<void> {
  try {
    assert.equal((await run(fleet, { back: true })).end, "done");
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    assert.match(thrown.message, /all hosts run 0\.1\.0\+a and keep no earlier package/);
  }
}

test("upgrade goes on after Ctrl-C at any moment", async () => {
  for (let at = 1; ; at += 1) {
    const fleet = new Fleet(threeUpgraded());
    const { end, complained } = await run(fleet, { back: true }, at);
    if (end === "done") {
      assert.ok(at > 5);
      break;
    }
    assert.equal(end, "interrupted");
    assert.match(complained, /^Stopped: \d hosts? (is|are) left/);
    await goOn(fleet);
    assert.deepEqual(new Set(fleet.versions), new Set(["0.1.0+a"]));
  }
});

test("upgrade goes on or back wherever it was killed", async () => {
  const kills = fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(kills, async (moments) => {
      const fleet = new Fleet(threeUpgraded());
      for (const moment of moments) {
        fleet.killAt = fleet.calls + moment;
        try {
          await run(fleet, { back: true });
        } catch (thrown) {
          // All had gone back, and the command says so.
          if (!(thrown instanceof Killed) && !(thrown instanceof GamError)) throw thrown;
        }
      }
      fleet.killAt = Number.POSITIVE_INFINITY;
      await goOn(fleet);
      assert.deepEqual(new Set(fleet.versions), new Set(["0.1.0+a"]));
      // No host more than once.
      assert.deepEqual([...new Set(fleet.began)], fleet.began);
    }),
    { numRuns: 200 },
  );
});
