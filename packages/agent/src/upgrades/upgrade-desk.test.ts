import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair, Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { encode, GamError, type NodeId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { aCluster, aNode, TestLog } from "@gam/state/testing";
import { UploadRate } from "../images/upload-rate.ts";
import { PackageStore } from "./package-store.ts";
import { UpgradeDesk, type UpgradeDeskParts } from "./upgrade-desk.ts";

type RequestHandler = Parameters<UpgradeDeskParts["mesh"]["handle"]>[1];
type StreamHandler = Parameters<UpgradeDeskParts["mesh"]["handleStream"]>[1];

interface Made {
  readonly path: string;
  readonly name: string;
  readonly sha256: string;
}

/** A tarball with a manifest, and with random bytes that no compression makes small. */
function aTarball(folder: string, build: string, { dialect = 1, machine = "amd64" } = {}): Made {
  const top = `gam-0.1.0-linux-${machine}`;
  mkdirSync(join(folder, build, top), { recursive: true });
  const manifest = JSON.stringify({ name: "gam", version: "0.1.0", gam: { build, dialect } });
  writeFileSync(join(folder, build, top, "package.json"), manifest);
  writeFileSync(join(folder, build, top, "node"), Buffer.alloc(2e6, build));
  const name = `${top}.tar.gz`;
  const path = join(folder, build, name);
  execFileSync("tar", ["-C", join(folder, build), "-czf", path, top]);
  return { path, name, sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
}

/** Hosts in memory: host0 is the asked one. All have gam by a tarball. */
class World {
  readonly folder = mkdtempSync(join(tmpdir(), "gam-upgrades-"));
  readonly ids: readonly NodeId[];
  readonly log = new TestLog();
  readonly stores: readonly PackageStore[];
  readonly desks: readonly UpgradeDesk[];
  /** Host, package and whether it goes back. */
  readonly begun: string[] = [];
  readonly refused: string[] = [];
  /** Bytes of a stream after which it breaks. */
  breakAfter = Number.POSITIVE_INFINITY;
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #streams = new Map<string, StreamHandler>();

  constructor(t: TestContext, role: "manager" | "worker" = "manager") {
    this.ids = [0, 1].map((at) => testId<NodeId>(`host${at}`));
    this.log.write({ kind: "createCluster", cluster: aCluster() });
    for (const [at, id] of this.ids.entries()) {
      const node = aNode(id, { spec: { Role: at === 0 ? "manager" : role } });
      this.log.write({ kind: "joinNode", node });
    }
    this.stores = this.ids.map((id) => new PackageStore(join(this.folder, id)));
    this.desks = this.ids.map((self, at) => new UpgradeDesk(this.#parts(self, at)));
    t.after(() => rmSync(this.folder, { recursive: true }));
  }

  desk(at: number): UpgradeDesk {
    const found = this.desks[at];
    assert.ok(found !== undefined);
    return found;
  }

  id(at: number): NodeId {
    const found = this.ids[at];
    assert.ok(found !== undefined);
    return found;
  }

  #parts(self: NodeId, at: number): UpgradeDeskParts {
    const store = this.stores[at];
    assert.ok(store !== undefined);
    return {
      self,
      own: {
        ...{ release: "0.1.0", version: "0.1.0+a", root: "/usr/local/lib/gam", args: [] },
        ...{ kind: "tar", machine: "amd64" },
      },
      store,
      installer: {
        state: async () => ({ installing: "", last: null }),
        begin: async ({ sha256 }, back) => {
          this.begun.push(`${self} ${sha256} ${back}`);
        },
      },
      mesh: {
        handle: (name, handler) => {
          this.#handlers.set(`${self} ${name}`, handler);
          return () => undefined;
        },
        handleStream: (name, handler) => {
          this.#streams.set(`${self} ${name}`, handler);
          return () => undefined;
        },
        request: async (to, { name, body }) => {
          const handler = this.#handlers.get(`${to} ${name}`);
          assert.ok(handler !== undefined);
          return await handler(self, body);
        },
        stream: async (to, name, header) => this.#open(self, to, { name, header }),
        sender: (id) => ({ role: this.log.store.node(id)?.Spec.Role ?? "worker" }),
        refuse: (from, reason) => void this.refused.push(`${from}: ${reason}`),
      } as UpgradeDeskParts["mesh"],
      view: () => this.log.store,
      peer: {
        leader: this.id(0),
        hears: () => true,
        raft: { configuration: { voters: this.ids } },
      } as UpgradeDeskParts["peer"],
      rate: new UploadRate(1e9),
      log: { info: () => undefined },
    };
  }

  #open(
    from: NodeId,
    to: NodeId,
    { name, header }: { readonly name: string; readonly header: Uint8Array },
  ): Duplex {
    const [near, far] = duplexPair();
    // As a stream of the mesh: an error at one end is one at the other.
    far.on("error", (thrown) => near.destroy(thrown));
    near.on("error", (thrown) => far.destroy(thrown));
    let bytes = 0;
    far.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > this.breakAfter) near.destroy(new Error("the cable was pulled"));
    });
    far.pause();
    const handler = this.#streams.get(`${to} ${name}`);
    assert.ok(handler !== undefined);
    void Promise.resolve(handler(from, header, far)).catch((thrown: Error) => far.destroy(thrown));
    return near;
  }
}

const content = ({ path }: Made): Readable => createReadStream(path);

test("a package goes from the asked host to another one, and is installed there", async (t) => {
  const world = new World(t);
  const made = aTarball(world.folder, "b");
  const about = await world.desk(0).take(made.name, made.sha256, content(made));
  assert.deepEqual([about.version, about.dialect, about.kind], ["0.1.0+b", 1, "tar"]);
  assert.equal((await world.desk(0).give(world.id(1), made.sha256)).state, "done");
  // Again, nothing is sent.
  const again = await world.desk(0).give(world.id(1), made.sha256);
  assert.deepEqual(again, { state: "done", bytes: 0, reason: "" });
  await world.desk(0).install(world.id(1), made.sha256, false);
  await world.desk(0).install(world.id(0), made.sha256, true);
  assert.deepEqual(world.begun, [
    `${world.id(1)} ${made.sha256} false`,
    `${world.id(0)} ${made.sha256} true`,
  ]);
  const { hosts } = await world.desk(0).report();
  assert.deepEqual(
    hosts.map(({ gam }) => gam?.kept.map(({ version }) => version)),
    [["0.1.0+b"], ["0.1.0+b"]],
  );
});

test("a package that breaks off leaves nothing, and can be sent again", async (t) => {
  const world = new World(t);
  const made = aTarball(world.folder, "b");
  await world.desk(0).take(made.name, made.sha256, content(made));
  world.breakAfter = 500;
  const { state, reason } = await world.desk(0).give(world.id(1), made.sha256);
  assert.deepEqual([state, reason], ["failed", "the cable was pulled"]);
  assert.deepEqual(await world.stores[1]?.list(), []);
  world.breakAfter = Number.POSITIVE_INFINITY;
  assert.equal((await world.desk(0).give(world.id(1), made.sha256)).state, "done");
});

const refusals: readonly (readonly [string, string, string | undefined, RegExp])[] = [
  ["another sum", "gam-0.1.0-linux-amd64.tar.gz", "0".repeat(64), /and 0{64} was expected/],
  ["a path as its name", "gam_../../x_amd64.deb", undefined, /is neither gam_VERSION_MACHINE.deb/],
  ["another name", "gam.tar.gz", undefined, /is neither gam_VERSION_MACHINE.deb nor/],
  [
    "a file that is no package",
    "gam_0.1.0_amd64.deb",
    undefined,
    /it is no package of gam .* use: dpkg-deb: .*archive$/,
  ],
];

for (const [what, name, sum, message] of refusals) {
  test(`a host takes no file with ${what}`, async (t) => {
    const world = new World(t);
    const made = aTarball(world.folder, "b");
    const taking = world.desk(0).take(name, sum ?? made.sha256, content(made));
    await assert.rejects(taking, message);
    assert.deepEqual((await world.desk(0).report()).hosts[0]?.gam?.kept, []);
  });
}

test("a host installs only what it keeps and what suits it", async (t) => {
  const world = new World(t);
  const arm = aTarball(world.folder, "b", { machine: "arm64" });
  await world.desk(0).take(arm.name, arm.sha256, content(arm));
  const install = (sum: string) => world.desk(0).install(world.id(0), sum, false);
  await assert.rejects(install(arm.sha256), /it is for arm64, and the host is amd64/);
  await assert.rejects(install("0".repeat(64)), /this host does not keep it/);
  assert.deepEqual(world.begun, []);
});

test("a worker can neither look, nor send, nor install", async (t) => {
  const world = new World(t, "worker");
  const made = aTarball(world.folder, "b");
  await world.desk(1).take(made.name, made.sha256, content(made));
  const isRefusal = (thrown: unknown): boolean =>
    thrown instanceof GamError && thrown.code === "REFUSED";
  await assert.rejects(world.desk(1).install(world.id(0), made.sha256, false), isRefusal);
  await assert.rejects(world.desk(1).give(world.id(0), made.sha256), isRefusal);
  const stream = encode({ ...made, version: "0.1.0+b", dialect: 1, machine: "amd64", kind: "tar" });
  assert.ok(stream.length > 0);
  assert.deepEqual(world.begun, []);
  assert.ok(
    world.refused.every((one) => one === `${world.id(1)}: orders about gam are for managers`),
  );
  assert.equal(world.refused.length, 2);
  // A manager can look at the worker.
  assert.equal((await world.desk(0).report()).hosts[1]?.gam?.version, "0.1.0+a");
});

test("a broken upload is an error", async (t) => {
  const world = new World(t);
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from("x");
      throw new Error("the client is gone");
    })(),
  );
  const taking = world.desk(0).take("gam-0.1.0-linux-amd64.tar.gz", "0".repeat(64), broken);
  await assert.rejects(taking, /the client is gone/);
});
