import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, type NodeId, type ProposalId } from "@gam/core";
import { testId } from "@gam/core/testing";
import { checkEnvelope, readEnvelope, readProposal } from "../store/check-proposal.ts";
import { readDump } from "../store/dump.ts";
import { Store } from "../store/store.ts";
import { aCluster, aNode, aService } from "../testing/objects.ts";
import type { AskedChange, Change, Proposal } from "./change.ts";
import {
  type Dialect,
  dialectOfChange,
  lowestDialect,
  refusalOfDialect,
  spokenDialect,
} from "./dialect.ts";

const [a, b] = [testId<NodeId>("a"), testId<NodeId>("b")];
const nowMs = Date.UTC(2026, 0, 1);
const rotate: Change = { kind: "rotateTokens", worker: undefined, manager: undefined };

/** A later gam that added a kind, a field, and a nested field. */
const second: Dialect = {
  newest: 2,
  since: {
    ...spokenDialect.since,
    rotateTokens: { ...spokenDialect.since.rotateTokens, kind: 2 },
    attachContainer: { ...spokenDialect.since.attachContainer, aliases: 2 },
  },
  inner: { "createService.spec.TaskTemplate.Networks.Aliases": 2 },
};
/** The same log, as an earlier gam reads it. */
const first: Dialect = { ...second, newest: 1 };

const attach: Change = {
  kind: "attachContainer",
  network: testId("net"),
  key: testId("key"),
  node: a,
  name: "box",
};
const { spec, ...service } = aService(testId("web")) as Extract<Change, { kind: "createService" }>;
const joined = (...Aliases: readonly string[]): Change => {
  const Networks = [{ Target: "net" }, { Target: "other", ...(Aliases.length > 0 && { Aliases }) }];
  return { ...service, spec: { ...spec, TaskTemplate: { ...spec.TaskTemplate, Networks } } };
};

for (const [name, change, needed] of [
  ["a kind that was always there", { kind: "removeNode", id: a }, 1],
  ["a kind that came later", rotate, 2],
  ["a field that came later, and is not there", attach, 1],
  ["a field that came later, and is undefined", { ...attach, aliases: undefined }, 1],
  ["a field that came later", { ...attach, aliases: ["x"] }, 2],
  ["a field inside of a list, which is in no entry of it", joined(), 1],
  ["a field inside of a list", joined("x"), 2],
] as const) {
  test(`${name} needs dialect ${needed}`, () => {
    assert.equal(dialectOfChange(change, second), needed);
  });
}

class Log {
  readonly store = new Store();
  #proposals = 0;

  write(dialect: number | undefined, ...changes: readonly Change[]): string {
    return this.apply({ id: this.id(), atMs: nowMs, dialect, changes });
  }

  id(): ProposalId {
    this.#proposals += 1;
    return testId<ProposalId>(`p${this.#proposals}`);
  }

  apply(proposal: Proposal): string {
    const { outcome } = this.store.apply(this.store.index + 1, proposal);
    return outcome.kind === "refused" ? outcome.message : outcome.kind;
  }
}

const speaking = (id: NodeId, dialect: number | undefined): AskedChange => {
  const node = aNode(id);
  return {
    kind: "joinNode",
    node: dialect === undefined ? node : { ...node, Gam: { ...node.Gam, dialect } },
  };
};

/** One member speaks the second dialect, the other one the given dialect. */
function logWith(dialect: number | undefined): Log {
  const log = new Log();
  log.write(undefined, { kind: "createCluster", cluster: aCluster() });
  log.write(undefined, speaking(a, 2), speaking(b, dialect));
  return log;
}

test("a change that some member cannot read is refused, and the refusal names the hosts to upgrade", () => {
  const log = logWith(undefined);
  assert.equal(lowestDialect(log.store), 1);
  const message = log.write(2, rotate);
  assert.match(message, /too old to read this change, which needs dialect 2/);
  assert.match(message, /Upgrade gam on "host-b0*" first/);
  assert.doesNotMatch(message, /"host-a0*"/);
  assert.equal(log.store.dialect, 1);
});

test("a peer that cannot read the changes reaches the same state by the dialect alone", () => {
  const [newer, older] = [logWith(1), logWith(1)];
  const proposal: Proposal = { id: newer.id(), atMs: nowMs, dialect: 2, changes: [rotate] };
  const data = encode(proposal);
  newer.apply(readProposal(data, second));
  const read = readProposal(data, first);
  assert.deepEqual(read.changes, []);
  older.apply(read);
  assert.deepEqual(older.store.dump(), newer.store.dump());
});

test("a change is applied once every member reads it, and then the log has used its dialect", () => {
  const log = logWith(1);
  const node = log.store.node(b);
  assert.ok(node !== undefined);
  const { Description: description, Gam } = node;
  const { addresses, engine } = Gam;
  const network = {
    mtu: 1500,
    routes: [],
    encryption: "none",
    publicKey: "",
    problem: "",
  } as const;
  const said = { kind: "describeNode", id: b, description, addresses, engine, network } as const;
  assert.match(log.write(2, rotate), /Upgrade gam/);
  assert.equal(log.write(undefined, { ...said, dialect: 2, version: "0.2.0+b" }), "applied");
  assert.equal(log.store.node(b)?.Gam.version, "0.2.0+b");
  assert.equal(log.write(2, rotate), "applied");
  assert.equal(log.store.dialect, 2);
  assert.equal(readDump(log.store.dump()).dialect, 2, "a snapshot knows");
  assert.match(log.write(undefined, said), /older than before: it reads dialect 1 .* and said 2/);
  assert.equal(log.store.node(b)?.Gam.dialect, 2, "a member's dialect never falls");
  const late = testId<NodeId>("late");
  assert.match(log.write(undefined, speaking(late, undefined)), /too old to join: .* uses 2/);
  assert.equal(log.write(undefined, speaking(late, 2)), "applied");
});

test("a snapshot that has used more than a member speaks is none", () => {
  const dump = decode(logWith(1).store.dump()) as object;
  assert.throws(() => readDump(encode({ ...dump, dialect: 2 })), {
    code: "BAD_FRAME",
    message: /snapshot\.dialect/,
  });
});

test("a host of an older dialect may join while the log needs no newer one, and holds the others back", () => {
  const log = logWith(2);
  assert.equal(log.write(undefined, speaking(testId("late"), 1)), "applied");
  assert.match(log.write(2, rotate), /Upgrade gam on "host-late0*" first/);
  assert.equal(log.write(undefined, { kind: "removeNode", id: testId("late") }), "applied");
  assert.equal(log.write(2, rotate), "applied");
});

test("no more than five hosts are named", () => {
  const log = logWith(2);
  const ids = Array.from({ length: 8 }, (_, at) => testId<NodeId>(`n${at}`));
  log.write(undefined, ...ids.map((id) => speaking(id, 1)));
  const { message } = refusalOfDialect(log.store, 2) ?? {};
  assert.match(message ?? "", /Upgrade gam on ("host-n[0-4]0*"(, )?){5} and 3 more first/);
});

test("a cluster without members accepts every dialect of its first peer", () => {
  assert.equal(lowestDialect(new Store()), Number.POSITIVE_INFINITY);
  assert.equal(refusalOfDialect(new Store(), 2), undefined);
});

const proposal = { id: testId<ProposalId>("p"), atMs: nowMs };

test("an entry that names an older dialect than its changes need is not read", () => {
  const lying = checkEnvelope({ ...proposal, changes: [rotate] }, "entry");
  assert.throws(() => readEnvelope(lying, "entry", second), {
    code: "BAD_FRAME",
    message: /says dialect 1, and its changes need 2/,
  });
});

test("a later kind of change in the first dialect is not read by a gam that does not know it", () => {
  const lying = checkEnvelope({ ...proposal, changes: [rotate] }, "entry");
  assert.throws(() => readEnvelope(lying, "entry", first), {
    code: "BAD_FRAME",
    message: /"rotateTokens" is no change/,
  });
});

for (const [name, sent] of [
  ["without an id", { atMs: nowMs, dialect: 9, changes: [] }],
  ["without changes", { ...proposal, dialect: 9 }],
  ["of a dialect that is none", { ...proposal, dialect: 0, changes: [] }],
] as const) {
  test(`an entry ${name} is not read, whatever dialect it needs`, () => {
    assert.throws(() => readProposal(encode(sent), first), { code: "BAD_FRAME" });
  });
}

test("the changes of an entry in a newer dialect are not examined", () => {
  const changes = [{ kind: "somethingNew", what: new Uint8Array(4) }, 7];
  const read = readProposal(encode({ ...proposal, dialect: 2, changes, more: true }), first);
  assert.deepEqual(read, { ...proposal, dialect: 2, changes: [] });
});

test("this gam speaks the dialect of each of its kinds of changes", () => {
  const { newest, since, inner } = spokenDialect;
  const came = [
    ...Object.values(since).flatMap((fields) => Object.values(fields)),
    ...Object.values(inner),
  ];
  assert.ok(came.every((dialect) => dialect >= 1 && dialect <= newest));
  for (const path of Object.keys(inner)) assert.ok(Object.hasOwn(since, path.split(".")[0] ?? ""));
});
