import assert from "node:assert/strict";
import { test } from "node:test";
import { base64, type SecretId, type ServiceId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { type Credentials, createCluster, makeIdentity } from "@gam/mesh";
import { type Change, newestKey, type Outcome, type Secret, type Service } from "@gam/state";
import { aNode, aNodeNetwork, aService, TestLog } from "@gam/state/testing";
import { makeTokens, secretOf } from "./join-tokens.ts";
import { Resealer } from "./resealer.ts";
import { newestRootOf, type Root } from "./root-seals.ts";
import { Sealer } from "./sealer.ts";
import { keysForNextRoot, makeSealingKey } from "./sealing-keys.ts";

const identity = await makeIdentity();
const pw = testId<SecretId>("pw");
const web = testId<ServiceId>("web");
const a = testId<"node">("a") as never;

/** Root keys are made as by clusters of their own. */
function someRoot(): Credentials & Root {
  const credentials = createCluster(identity, 0);
  const { rootPrivateKey } = credentials;
  assert.ok(rootPrivateKey);
  return { ...credentials, rootPrivateKey };
}

/** A cluster of one node, with a secret and the credentials of a service. */
class Cluster {
  readonly log = new TestLog();
  readonly old = someRoot();
  readonly next = someRoot();
  readonly warned: string[] = [];
  credentials: Credentials = this.old;
  readonly sealer = this.sealerOf(() => this.credentials);

  constructor() {
    this.write({
      kind: "createCluster",
      cluster: {
        ...{ ID: this.old.clusterId, Spec: { Name: "default" } as never },
        RootPublicKey: base64(this.old.rootPublicKey),
        Tokens: makeTokens(this.old),
        SealingKeys: [makeSealingKey(testId("key1"), newestRootOf(this.old))],
        ...{ DefaultAddrPool: [], SubnetSize: 24, DataPathPort: 4789 },
      },
    });
    this.write({ kind: "joinNode", node: aNode(a) });
    this.make(pw, "first");
    const registryAuth = this.sealer.sealCredentials(web, "auth");
    this.write({ ...aService("web"), id: web, registryAuth });
  }

  write(change: Change): void {
    const { outcome } = this.log.write(change);
    assert.equal(outcome.kind, "applied", JSON.stringify(outcome));
  }

  sealerOf(credentials: () => Credentials): Sealer {
    return new Sealer({ view: () => this.log.store, credentials });
  }

  make(id: SecretId, text: string): void {
    const content = { version: 1, ...this.sealer.sealSecret(id, 1, Buffer.from(text)) };
    this.write({ kind: "createSecret", id, spec: { Name: id, Labels: {} }, content });
  }

  secret(id: SecretId = pw): Secret {
    const secret = this.log.store.secret(id);
    assert.ok(secret);
    return secret;
  }

  get service(): Service {
    const service = this.log.store.service(web);
    assert.ok(service);
    return service;
  }

  read(sealer: Sealer, id: SecretId = pw): string {
    return Buffer.from(sealer.openSecret(this.secret(id), 1)).toString();
  }

  beginRotation(): void {
    const { rootPublicKey, rootPrivateKey } = this.next;
    const next = { rootPublicKey, rootPrivateKey, signature: new Uint8Array(64) };
    const before = this.credentials;
    this.credentials = { ...this.old, next };
    this.write({
      kind: "rotateRoot",
      root: base64(this.old.rootPublicKey),
      next: { PublicKey: base64(rootPublicKey), Signature: "" },
      tokens: makeTokens(this.credentials),
      keys: keysForNextRoot(this.log.store, {
        id: testId("key2"),
        credentials: before,
        next: this.next,
      }),
    });
  }

  endRotation(): void {
    const { Description: description, Gam } = aNode(a);
    const { addresses, engine } = Gam;
    const root = base64(this.next.rootPublicKey);
    const said = { description, addresses, engine, network: aNodeNetwork(), root };
    this.write({ kind: "describeNode", id: a, ...said });
    this.write({ kind: "endRootRotation", publicKey: root });
    assert.equal(this.log.store.cluster?.RootPublicKey, root);
    this.credentials = this.next;
  }

  async reseal(): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    const resealer = new Resealer({
      sealer: this.sealer,
      view: () => this.log.store,
      leads: () => true,
      propose: async (changes) => outcomes.push(this.log.write(...changes).outcome),
      log: { warn: (_, text) => this.warned.push(text) },
    });
    resealer.notice();
    await resealer.settled();
    resealer.stop();
    return outcomes;
  }
}

test("what is sealed opens only as that object and version, unchanged", () => {
  const cluster = new Cluster();
  const { sealer } = cluster;
  const secret = cluster.secret();
  assert.equal(Buffer.from(sealer.openSecret(secret, 1)).toString(), "first");
  const [content] = secret.Gam.contents;
  assert.ok(content);
  const refused = { code: "REFUSED" };
  const asOther = { ...secret, ID: testId<SecretId>("other") };
  assert.throws(() => sealer.openSecret(asOther, 1), refused);
  const later = { ...secret, Gam: { ...secret.Gam, contents: [{ ...content, version: 2 }] } };
  assert.throws(() => sealer.openSecret(later, 2), refused);
  const sealed = content.sealed.map((byte, at) => (at === 20 ? byte ^ 1 : byte));
  const bent = { ...secret, Gam: { ...secret.Gam, contents: [{ ...content, sealed }] } };
  assert.throws(() => sealer.openSecret(bent, 1), refused);
  assert.throws(() => sealer.openSecret(secret, 7), { code: "NOT_FOUND" });
});

test("a worker opens and seals nothing, also after it was a manager", () => {
  const cluster = new Cluster();
  const { rootPrivateKey: _, ...rest } = cluster.old;
  let credentials: Credentials = cluster.old;
  const sealer = cluster.sealerOf(() => credentials);
  assert.equal(cluster.read(sealer), "first");
  credentials = { ...rest, rootPrivateKey: undefined };
  assert.throws(() => cluster.read(sealer), { code: "NOT_SUPPORTED" });
  assert.throws(() => sealer.sealCredentials(web, "x"), { code: "NOT_SUPPORTED" });
});

test("who keeps the old root key opens nothing that is sealed after its rotation began", async () => {
  const cluster = new Cluster();
  const former = cluster.sealerOf(() => cluster.old);
  assert.equal(cluster.read(former), "first");
  cluster.beginRotation();
  const [second, third] = [testId<SecretId>("second"), testId<SecretId>("third")];
  cluster.make(second, "during");
  const refused = { code: "REFUSED" };
  assert.throws(() => cluster.read(former, second), refused);
  const { Worker, Manager } = cluster.log.store.cluster?.Tokens ?? {};
  assert.ok(Worker && Manager);
  assert.throws(() => secretOf("manager", Manager, cluster.old), refused);
  assert.equal(secretOf("worker", Worker, cluster.credentials).length, 25);
  assert.equal(cluster.read(cluster.sealer), "first", "the old key opens until all is done");
  cluster.endRotation();
  cluster.make(third, "after");
  for (const id of [second, third]) assert.throws(() => cluster.read(former, id), refused);

  // A manager that joins now has the new root key alone.
  const newcomer = cluster.sealerOf(() => cluster.next);
  assert.equal(cluster.read(newcomer), "first");
  assert.equal(newcomer.openCredentials(cluster.service), "auth");
  const outcomes = await cluster.reseal();
  assert.ok(outcomes.length > 0 && outcomes.every(({ kind }) => kind === "applied"));
  const keys = cluster.log.store.cluster?.SealingKeys.map(({ ID }) => ID);
  assert.deepEqual(keys, [testId("key2")]);
  for (const id of [pw, second, third]) {
    assert.deepEqual(
      cluster.secret(id).Gam.contents.map(({ key }) => key),
      [testId("key2")],
    );
  }
  const fresh = cluster.sealerOf(() => cluster.next);
  assert.equal(cluster.read(fresh), "first");
  assert.equal(fresh.openCredentials(cluster.service), "auth");
  assert.throws(() => cluster.read(cluster.sealerOf(() => cluster.old)), refused);
  assert.deepEqual(await cluster.reseal(), [], "nothing is left to do");
  assert.deepEqual(cluster.warned, []);
});

test("nothing is sealed anew before the rotation has ended", async () => {
  const cluster = new Cluster();
  cluster.beginRotation();
  assert.deepEqual(await cluster.reseal(), []);
});

test("a manager without the next root key says that it will come", () => {
  const cluster = new Cluster();
  cluster.beginRotation();
  const { rootPublicKey } = cluster.next;
  const waiting = { ...cluster.old, next: { rootPublicKey, signature: new Uint8Array(64) } };
  const sealer = cluster.sealerOf(() => waiting);
  const soon = { code: "IN_USE", message: /does not have the new one yet/ };
  assert.throws(() => sealer.sealCredentials(web, "x"), soon);
  assert.throws(() => makeTokens(waiting), soon);
  const { Worker } = cluster.log.store.cluster?.Tokens ?? {};
  assert.ok(Worker);
  assert.throws(() => secretOf("worker", Worker, waiting), soon);
  assert.equal(cluster.read(sealer), "first", "what was sealed before opens as before");
});

test("a rotation whose next root key is lost with its only holder is given up for another", () => {
  const cluster = new Cluster();
  cluster.beginRotation();
  const [second, third] = [testId<SecretId>("second"), testId<SecretId>("third")];
  cluster.make(second, "only the lost key opens it");
  const lost = { rootPublicKey: cluster.next.rootPublicKey, signature: new Uint8Array(64) };
  cluster.credentials = { ...cluster.old, next: lost };
  const other = someRoot();
  const rotate = (): Outcome => {
    const before = cluster.credentials;
    const id = testId<string>("key3");
    const keys = keysForNextRoot(cluster.log.store, { id, credentials: before, next: other });
    const credentials = { ...cluster.old, next: { ...other, signature: new Uint8Array(64) } };
    const next = { PublicKey: base64(other.rootPublicKey), Signature: "" };
    const root = base64(cluster.old.rootPublicKey);
    const tokens = makeTokens(credentials);
    const { outcome } = cluster.log.write({ kind: "rotateRoot", root, next, tokens, keys });
    if (outcome.kind === "applied") cluster.credentials = credentials;
    return outcome;
  };
  assert.throws(rotate, { code: "IN_USE", message: new RegExp(`remove secret "${second}"$`) });
  cluster.write({ kind: "removeSecret", id: second });
  assert.equal(rotate().kind, "applied");
  assert.equal(cluster.read(cluster.sealer), "first");
  cluster.make(third, "under the other key");
  const keys = cluster.log.store.cluster?.SealingKeys.map(({ ID }) => ID);
  assert.deepEqual(keys, [testId("key1"), testId("key3")]);
});

test("many large secrets are sealed anew in entries that fit into the log", async () => {
  const cluster = new Cluster();
  const ids = Array.from({ length: 7 }, (_, at) => testId<SecretId>(`big${at}`));
  for (const id of ids) cluster.make(id, "x".repeat(499_000));
  cluster.beginRotation();
  cluster.endRotation();
  const outcomes = await cluster.reseal();
  assert.ok(outcomes.length >= 4, String(outcomes.length));
  for (const id of ids) assert.equal(cluster.read(cluster.sealer, id).length, 499_000);
});

test("one secret that does not open stops neither the others nor what comes after", async () => {
  const cluster = new Cluster();
  const spoiled = testId<SecretId>("spoiled");
  const key = newestKey(cluster.log.store) ?? "";
  const content = { version: 1, key, sealed: new Uint8Array(40) };
  const spec = { Name: spoiled, Labels: {} };
  cluster.write({ kind: "removeSecret", id: pw });
  cluster.write({ kind: "createSecret", id: spoiled, spec, content });
  cluster.make(pw, "first");
  cluster.beginRotation();
  cluster.endRotation();
  await cluster.reseal();
  const keyOf = (id: SecretId): string | undefined => cluster.secret(id).Gam.contents[0]?.key;
  assert.deepEqual([keyOf(spoiled), keyOf(pw)], [testId("key1"), testId("key2")]);
  assert.equal(cluster.service.Gam.registryAuth?.key, testId("key2"));
  assert.equal(cluster.warned.length, 1);
  cluster.write({ kind: "removeSecret", id: spoiled });
  await cluster.reseal();
  const keys = cluster.log.store.cluster?.SealingKeys.map(({ ID }) => ID);
  assert.deepEqual(keys, [testId("key2")]);
});
