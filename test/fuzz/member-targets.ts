/** Messages between admitted members, and the contents of a journal. */
import { createHash } from "node:crypto";
import { checkExamination } from "@gam/api";
import { type Message as RaftMessage, writeConfiguration } from "@gam/consensus";
import { decode, encode, type NodeId } from "@gam/core";
import {
  bootstrapJournal,
  checkLogPlace,
  decodeGossip,
  decodeMessage,
  recoverJournal,
} from "@gam/peer";
import { layersIn } from "@gam/runtime";
import { aNode, aService } from "@gam/state/testing";
import { checkAnswer, checkQuestion } from "../../packages/agent/src/contents/content-question.ts";
import * as images from "../../packages/agent/src/images/image-question.ts";
import { defaultLimits } from "../../packages/mesh/src/trust/limits.ts";
import { Rpc } from "../../packages/mesh/src/wire/rpc.ts";
import type { Target } from "./target.ts";

const self = "a".repeat(25) as NodeId;

const layer = `sha256:${"c".repeat(64)}`;
const imageConfig = Buffer.from(JSON.stringify({ rootfs: { diff_ids: [layer] } }));
/** The id of an image with that config. */
const digest = `sha256:${createHash("sha256").update(imageConfig).digest("hex")}`;

const configuration = { voters: [self], votersOutgoing: [], learners: [], standbys: [] };
const raft: readonly RaftMessage[] = [
  { kind: "vote", term: 3, lastIndex: 7, lastTerm: 2, transfer: false },
  {
    kind: "append",
    term: 3,
    previousIndex: 7,
    previousTerm: 2,
    commit: 6,
    entries: [
      { index: 8, term: 3, kind: "noop", data: new Uint8Array() },
      { index: 9, term: 3, kind: "configuration", data: writeConfiguration(configuration) },
    ],
  },
  {
    kind: "snapshotChunk",
    term: 3,
    index: 7,
    indexTerm: 2,
    configuration,
    totalBytes: 4,
    offset: 0,
    data: Uint8Array.of(1, 2, 3, 4),
  },
  { kind: "readReply", term: 3, id: "read", index: 7 },
];
const member = [
  { kind: "ping", round: 1, incarnation: 2, accused: 1 },
  { kind: "ask", round: 1, peer: self },
];
const id = "p".repeat(25);
const peer = [
  {
    kind: "propose",
    proposal: { id, atMs: 1, changes: [{ kind: "joinNode", node: aNode(self) }] },
  },
  { kind: "declined", id },
  { kind: "steered", index: 9 },
  { kind: "life", life: ["first", "second"], index: 9 },
];
const usage = {
  cpu: 0.5,
  memoryBytes: 1e9,
  memoryTotalBytes: 2e9,
  load: 1,
  containers: 3,
  images: ["web:1"],
  diskFreeBytes: 1e9,
  atMs: 1,
};
const rumour = {
  sequence: 1,
  incarnation: 2,
  health: 0,
  repeatTicks: 20,
  opinions: [{ peer: self, opinion: "alive", incarnation: 1 }],
};

/** Values as in messages about the log. */
const tagged = (list: readonly unknown[]): Uint8Array[] =>
  list.map((body) => encode({ life: "first", body }));
const place = { life: ["first"], lastIndex: 9, lastTerm: 2, isLed: false, isMute: false };
const path = { to: self, network: "front", port: "4789/udp", bytes: 1450, result: "whole" };
const examination = {
  hostname: "host1",
  version: "0.1.0",
  engine: { state: "old", reason: "too old", version: "19.03", inSwarm: false },
  disks: [{ path: "/var/lib/gam", freeBytes: 1e9, totalBytes: 2e9, failure: "" }],
  memory: { availableBytes: 1e9, totalBytes: 2e9 },
  conntrack: { used: 5, max: 1000 },
  line: "up",
  log: { applied: 8, commit: 9, stopped: "" },
  ...{ wallMs: 1, tookMs: 2, problems: ["no route"], connected: [self] },
  paths: [path],
};

const values = (list: readonly unknown[]): Uint8Array[] => list.map((one) => encode(one));

function messages(): Target[] {
  const base = { group: "members", form: "value" } as const;
  return [
    {
      ...base,
      name: "raft",
      seeds: tagged(raft),
      take: (input) => decodeMessage("raft", input) !== undefined,
    },
    {
      ...base,
      name: "member",
      seeds: values(member),
      take: (input) => decodeMessage("member", input) !== undefined,
    },
    {
      ...base,
      name: "peer",
      seeds: tagged(peer),
      take: (input) => decodeMessage("peer", input) !== undefined,
    },
    {
      ...base,
      name: "usage",
      seeds: values([usage]),
      take: (input) => decodeGossip("usage", input) !== undefined,
    },
    {
      ...base,
      name: "rumour",
      seeds: values([rumour]),
      take: (input) => decodeGossip("rumour", input) !== undefined,
    },
  ];
}

/** Requests over rpc, and answers to them. */
function answers(): Target[] {
  const base = { group: "members", form: "value" } as const;
  return [
    {
      ...base,
      name: "survey",
      seeds: values([place]),
      take: (input) => checkLogPlace(decode(input), "survey") !== undefined,
    },
    {
      ...base,
      name: "examination",
      seeds: values([examination]),
      take: (input) => checkExamination(decode(input), "examination") !== undefined,
    },
    {
      ...base,
      name: "content question",
      seeds: values([
        { task: self, asOf: 9, secrets: [{ id: self, content: 1 }], credentials: false },
        { task: self, asOf: 9, secrets: [], credentials: true },
      ]),
      take: (input) => checkQuestion(decode(input), "contents") !== undefined,
    },
    {
      ...base,
      name: "content answer",
      seeds: values([{ secrets: [Uint8Array.of(1, 2)], credentials: "e30=" }]),
      take: (input) => checkAnswer(decode(input), "contents") !== undefined,
    },
    {
      ...base,
      name: "image question",
      seeds: values([
        { image: `shop:1@${digest}`, lacks: [digest], open: true },
        { image: digest, lacks: [], open: false },
      ]),
      take: (input) => images.checkQuestion(decode(input), "image") !== undefined,
    },
    {
      ...base,
      name: "layer question",
      seeds: values([{ image: digest, layer: digest }]),
      take: (input) => images.checkLayerQuestion(decode(input), "layer") !== undefined,
    },
    {
      ...base,
      name: "image answer",
      seeds: values([
        {
          ...{ id: digest, layers: [digest], config: imageConfig, bytes: 9, whole: true },
          ...{ opening: false, ready: [{ layer: digest, bytes: 5 }] },
        },
      ]),
      // As the asker reads it: the config is believed only if its digest is the id.
      take: (input) => {
        const { id, config } = images.checkAnswer(decode(input), "image");
        return config === undefined || layersIn(config, id).length >= 0;
      },
    },
  ];
}

function rpc(): Target {
  const seeds = values([
    { kind: "ask", id: 1, name: "known", body: Uint8Array.of(1) },
    { kind: "answer", id: 1, body: Uint8Array.of(1) },
    { kind: "failed", id: 1, code: "REFUSED", message: "no" },
  ]);
  return {
    name: "rpc",
    group: "members",
    form: "value",
    seeds,
    take: async (input) => {
      const calls = new Rpc({ limits: defaultLimits, send: () => true });
      calls.handle("known", (_, body) => body);
      const question = { name: "known", body: new Uint8Array(), timeoutMs: 1_000 };
      const asked = calls.request(self, question).catch(() => undefined);
      calls.received(self, input);
      calls.lost(self);
      await asked;
      return true;
    },
  };
}

function journal(): Target {
  const { journal: made } = bootstrapJournal(self);
  const files: Uint8Array[] = [];
  for (let write = 1; write < 4; write += 1) {
    const step = made.take();
    if (step !== undefined) files.push(step.bytes);
    made.persisted();
    const data = encode({
      id,
      time: 1,
      changes: [{ kind: "createService", spec: aService("web").spec }],
    });
    made.request({
      write,
      hardState: { term: write, votedFor: self, commit: write },
      entries: [{ index: write + 1, term: write, kind: "data", data }],
    });
  }
  return {
    name: "journal",
    group: "members",
    form: "bytes",
    seeds: [Buffer.concat(files)],
    take: (input) => {
      const bytes = Uint8Array.from(input);
      const { restored } = recoverJournal([{ name: "journal-0000000001", bytes }]);
      return restored.entries.length > 0;
    },
  };
}

export function memberTargets(): readonly Target[] {
  return [...messages(), ...answers(), rpc(), journal()];
}
