/**
 * Whether bytes from another peer are a proposal that apply() can take and that plans can be made from.
 * An entry of the log over which one peer stumbles all of them would stumble over, again and again: so
 * specs are read here once more, as they were by the peer that a client asked.
 */
import { type Check, check, GamError, type ProposalId } from "@gam/core";
import type { Change, Proposal } from "./change.ts";
import { readClusterSpec } from "./cluster-spec.ts";
import { readBody } from "./json-shape.ts";
import { serviceShape } from "./service-shape.ts";
import { readServiceSpec } from "./service-spec.ts";
import { taskStates } from "./task.ts";

const changesMax = 20_000;

/** An object as it came; only the named fields are looked at, and none is dropped. */
function keeping(fields: Record<string, Check<unknown>>): Check<unknown> {
  const look = check.object(fields);
  return (value, path) => {
    look(value, path);
    return value;
  };
}

const text = check.string(256);
const index = check.integer();
const anything = keeping({});
const texts = check.list(check.string(), 4096);

/** A value that `read` does not refuse, as it came. */
function readBy(read: (value: unknown) => unknown): Check<unknown> {
  return (value, path) => {
    try {
      read(value);
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      throw new GamError("BAD_FRAME", `Cannot read ${path}: ${thrown.message}`, { cause: thrown });
    }
    return value;
  };
}

function both(first: Check<unknown>, second: Check<unknown>): Check<unknown> {
  return (value, path) => second(first(value, path), path);
}

/** Whether a template expands is for whoever has the task to find out. */
const rules = { checkTemplate: () => undefined };
const hasTemplate = keeping({
  Name: text,
  TaskTemplate: keeping({ ContainerSpec: keeping({ Image: check.string() }) }),
  Mode: anything,
});
const spec = both(
  hasTemplate,
  readBy((value) => readServiceSpec(value, rules)),
);
/** What was allowed once need not be allowed now, but it has the shape. */
const specBefore = both(
  hasTemplate,
  readBy((value) => readBody(serviceShape, value)),
);
const clusterSpec = both(
  keeping({ Labels: anything, Orchestration: keeping({ TaskHistoryRetentionLimit: index }) }),
  readBy(readClusterSpec),
);
const optionalText = check.optional(text);
const ipamConfigs = check.list(
  keeping({ Subnet: optionalText, IPRange: optionalText, Gateway: optionalText }),
  256,
);
const vni = check.integer(0, 2 ** 24 - 1);
const gateways = check.map(text, 65_536);
const network = keeping({
  Id: text,
  Name: text,
  Driver: text,
  IPAM: keeping({ Driver: text, Config: ipamConfigs }),
  Internal: check.boolean,
  Attachable: check.boolean,
  Ingress: check.boolean,
  Options: check.optional(check.map(check.string(), 4096)),
  Labels: check.map(check.string(), 4096),
  // What the leader gives no client has.
  Gam: keeping({
    vni: check.literal(0),
    gateways: check.map(text, 0),
    attachments: check.map(anything, 0),
  }),
});
const endpoint = keeping({
  Spec: anything,
  Ports: check.optional(check.list(anything, 4096)),
  VirtualIPs: check.optional(
    check.list(keeping({ NetworkID: text, Addr: check.optional(text) }), 256),
  ),
});
const status = keeping({ Timestamp: text, State: check.literal(...taskStates) });
const labels = check.map(check.string(), 4096);
/** What plans read of every node. */
const nodeSpec = keeping({ Labels: labels, Role: text, Availability: text });
const description = keeping({
  Hostname: text,
  Platform: keeping({ Architecture: text, OS: text }),
  Resources: keeping({
    NanoCPUs: check.number(),
    MemoryBytes: check.number(),
    GenericResources: check.optional(check.list(anything, 4096)),
  }),
  Engine: keeping({
    EngineVersion: text,
    Labels: labels,
    Plugins: check.list(keeping({ Type: text, Name: text }), 4096),
  }),
});
const engine = keeping({ ready: check.boolean, reason: check.string() });
const nodeNetwork = keeping({
  mtu: index,
  routes: texts,
  encryption: check.literal("kernel", "userspace", "none"),
  publicKey: text,
  problem: check.string(),
});
/** Sealed under two root keys at most. */
const token = keeping({ PublicKey: text, Sealed: check.map(text, 2) });
const tokens = keeping({ Worker: token, Manager: token });
const attachments = check.list(keeping({ network: text, address: text }), 256);

const fieldsOf: Record<Change["kind"], Record<string, Check<unknown>>> = {
  createCluster: {
    cluster: keeping({
      ID: text,
      Spec: clusterSpec,
      Tokens: tokens,
      RootPublicKey: text,
      DefaultAddrPool: check.list(text, 256),
      SubnetSize: index,
      DataPathPort: index,
    }),
  },
  updateCluster: { spec: clusterSpec, basedOn: index },
  rotateTokens: { worker: check.optional(token), manager: check.optional(token) },
  rotateRoot: { root: text, next: keeping({ PublicKey: text, Signature: text }), tokens },
  joinNode: {
    node: keeping({
      ID: text,
      Spec: nodeSpec,
      Description: description,
      Status: keeping({ State: text, Addr: text }),
      Gam: keeping({ addresses: texts, engine }),
    }),
  },
  updateNode: { id: text, spec: nodeSpec, basedOn: index },
  removeNode: { id: text },
  createService: { id: text, spec, registryAuth: check.string(65_536) },
  updateService: {
    id: text,
    spec,
    previous: check.optional(specBefore),
    registryAuth: check.string(65_536),
    rollback: check.boolean,
    basedOn: index,
  },
  removeService: { id: text },
  createNetwork: { network },
  removeNetwork: { id: text },
  attachContainer: {
    network: text,
    key: text,
    node: text,
    name: text,
    wish: check.optional(text),
    aliases: check.optional(texts),
  },
  describeNode: {
    id: text,
    description,
    addresses: texts,
    engine,
    network: nodeNetwork,
    root: check.optional(text),
  },
  detachContainer: { network: text, key: text },
  reportTask: { id: text, status },
  judgeNode: { id: text, status: anything },
  endRootRotation: { publicKey: text },
  createTask: { task: keeping({ ID: text, ServiceID: text, Spec: anything, Status: status }) },
  assignTask: { id: text, node: text, status },
  explainTask: { id: text, status },
  desireTask: { id: text, desired: check.literal(...taskStates) },
  orphanTask: { id: text, status },
  removeTask: { id: text },
  progressUpdate: { id: text, templateVersion: index, waveAtMs: check.number(), updated: texts },
  rollbackService: { id: text, templateVersion: index, message: check.string() },
  setEndpoint: { id: text, endpoint },
  allocateNetwork: { id: text, vni, config: ipamConfigs },
  setGateways: { id: text, gateways },
  attachTask: { id: text, attachments },
  setAttachment: { id: text, key: text, address: text },
  refuseAttachment: { id: text, key: text },
  setTunnel: { id: text, address: text },
};

const checkChange: Check<Change> = (value, path) => {
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : "";
  if (typeof kind !== "string" || !Object.hasOwn(fieldsOf, kind)) {
    throw new GamError("BAD_FRAME", `Cannot read ${path}.kind: "${kind}" is no change`);
  }
  return keeping(fieldsOf[kind as Change["kind"]])(value, path) as Change;
};

export const checkProposal: Check<Proposal> = check.object({
  id: check.id<ProposalId>(),
  // The last millisecond that a date can be made of.
  atMs: check.number(0, 8.64e15),
  changes: check.list(checkChange, changesMax),
});
