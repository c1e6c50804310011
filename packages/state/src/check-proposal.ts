/**
 * Whether a value is a proposal that apply() can take and that plans can be made from.
 *
 * An entry of the log over which one peer stumbles all of them would stumble over, again and again. So every
 * peer checks each proposal in full before it enters a log, and once more when it comes out of one: its own,
 * those of other peers, and those of the leader's plans. The shapes are those of the objects (check-node.ts,
 * check-service.ts, check-task.ts, check-network.ts, check-cluster.ts), which snapshots are checked by as well.
 *
 * What comes back has only known fields, in the one form in which they are stored. It is the same on every peer,
 * and it is what is applied.
 */
import {
  type Check,
  check,
  decode,
  GamError,
  type NetworkId,
  type NodeId,
  type ProposalId,
  type ServiceId,
  type TaskId,
} from "@gam/core";
import type { Change, Proposal } from "./change.ts";
import { checkNewCluster, checkNextRoot, checkToken, checkTokens } from "./check-cluster.ts";
import { checkEndpoint } from "./check-endpoint.ts";
import {
  aVni,
  checkAliases,
  checkGateways,
  checkGivenConfig,
  checkNewNetwork,
} from "./check-network.ts";
import {
  checkAddresses,
  checkDescription,
  checkEngine,
  checkJudgement,
  checkNewNode,
  checkNodeNetwork,
} from "./check-node.ts";
import { checkPlaces, checkUpdateStatus } from "./check-service.ts";
import { checkClusterSpec, checkNodeSpec, checkServiceSpec } from "./check-spec.ts";
import {
  checkDesired,
  checkNewTask,
  checkTaskAttachments,
  checkTaskStatus,
  checkWaitingStatus,
} from "./check-task.ts";
import {
  type Dialect,
  dialectOfChange,
  dialectOfChanges,
  dialectOfProposal,
  spokenDialect,
} from "./dialect.ts";
import {
  aContainerName,
  aDialect,
  aKey,
  aMessage,
  aMoment,
  anAddress,
  anId,
  anIndex,
  aRegistryAuth,
  aTunnelAddress,
} from "./field-checks.ts";
import { tunnelRange } from "./node.ts";

const changesMax = 20_000;
const { boolean, id, literal, optional, struct, where } = check;

const node = id<NodeId>();
const service = id<ServiceId>();
const network = id<NetworkId>();
const task = id<TaskId>();

const fieldsOf: Record<Change["kind"], Record<string, Check<unknown>>> = {
  createCluster: { cluster: checkNewCluster },
  updateCluster: { spec: checkClusterSpec, basedOn: anIndex },
  rotateTokens: { worker: optional(checkToken), manager: optional(checkToken) },
  rotateRoot: { root: aKey, next: checkNextRoot, tokens: checkTokens },
  joinNode: { node: checkNewNode },
  updateNode: { id: node, spec: checkNodeSpec, basedOn: anIndex },
  removeNode: { id: node },
  createService: { id: service, spec: checkServiceSpec, registryAuth: aRegistryAuth },
  updateService: {
    id: service,
    spec: checkServiceSpec,
    previous: optional(checkServiceSpec),
    registryAuth: aRegistryAuth,
    rollback: boolean,
    basedOn: anIndex,
  },
  removeService: { id: service },
  createNetwork: { network: checkNewNetwork },
  removeNetwork: { id: network },
  attachContainer: {
    network,
    key: anId,
    node,
    name: aContainerName,
    wish: optional(anAddress),
    aliases: optional(checkAliases),
  },
  describeNode: {
    id: node,
    description: checkDescription,
    addresses: checkAddresses,
    engine: checkEngine,
    network: checkNodeNetwork,
    root: optional(aKey),
    dialect: optional(aDialect),
  },
  detachContainer: { network, key: anId },
  reportTask: { id: task, status: checkTaskStatus },
  judgeNode: { id: node, status: checkJudgement },
  endRootRotation: { publicKey: aKey },
  createTask: { task: checkNewTask },
  assignTask: {
    id: task,
    node,
    status: where(checkTaskStatus, ({ State }) => State === "assigned", "state assigned"),
  },
  explainTask: { id: task, status: checkWaitingStatus },
  desireTask: { id: task, desired: checkDesired },
  orphanTask: {
    id: task,
    status: where(checkTaskStatus, ({ State }) => State === "orphaned", "state orphaned"),
  },
  removeTask: { id: task },
  progressUpdate: {
    id: service,
    templateVersion: anIndex,
    status: optional(checkUpdateStatus),
    waveAtMs: aMoment,
    updated: checkPlaces,
  },
  rollbackService: { id: service, templateVersion: anIndex, message: aMessage },
  setEndpoint: { id: service, endpoint: checkEndpoint },
  allocateNetwork: { id: network, vni: aVni, config: checkGivenConfig },
  setGateways: { id: network, gateways: checkGateways },
  attachTask: { id: task, attachments: checkTaskAttachments },
  setAttachment: { id: network, key: anId, address: anAddress },
  refuseAttachment: { id: network, key: anId },
  setTunnel: { id: node, address: aTunnelAddress(tunnelRange) },
};

const changes = new Map(
  Object.entries(fieldsOf).map(([kind, fields]) => {
    return [kind, struct({ kind: literal(kind), ...fields })] as const;
  }),
);

export const checkChange: Check<Change> = (value, path) => {
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : "";
  const checkKind = typeof kind === "string" ? changes.get(kind) : undefined;
  if (checkKind === undefined) {
    const shown = typeof kind === "string" ? JSON.stringify(kind.slice(0, 40)) : typeof kind;
    throw new GamError("BAD_FRAME", `Cannot read ${path}.kind: ${shown} is no change`);
  }
  return checkKind(value, path) as unknown as Change;
};

/** A proposal whose changes were not looked at: what is the same in every dialect. */
export type Envelope = Omit<Proposal, "changes"> & { readonly changes: readonly unknown[] };

const head = { id: id<ProposalId>(), atMs: aMoment, dialect: optional(aDialect) };

/** Errors: BAD_FRAME. */
export const checkEnvelope: Check<Envelope> = check.object({
  ...head,
  changes: check.list((change) => change, changesMax),
});

/** Errors: BAD_FRAME, with the path of the field that is wrong. */
export const checkProposal: Check<Proposal> = check.object({
  ...head,
  changes: check.list(checkChange, changesMax),
});

/**
 * The proposal as a gam that speaks `dialect` reads it. One that needs a newer dialect comes without changes: what
 * has to be done about it follows from its dialect alone.
 *
 * Errors: BAD_FRAME, with the path of the field that is wrong; also for changes that need more than it says.
 */
export function readEnvelope(envelope: Envelope, path: string, dialect = spokenDialect): Proposal {
  const said = dialectOfProposal(envelope);
  if (said > dialect.newest) return { ...envelope, changes: [] };
  const proposal = checkProposal(envelope, path);
  const needed = insistOnDialect(proposal.changes, path, dialect);
  if (needed <= said) return proposal;
  throw new GamError(
    "BAD_FRAME",
    `Cannot read ${path}: it says dialect ${said}, and its changes need ${needed}`,
  );
}

/** The dialect that these changes need. Errors: BAD_FRAME for one that a gam of `dialect` does not know. */
export function insistOnDialect(
  changes: readonly Change[],
  path: string,
  dialect: Dialect,
): number {
  const needed = dialectOfChanges(changes, dialect);
  if (needed <= dialect.newest) return needed;
  const unknown = changes.find((change) => dialectOfChange(change, dialect) > dialect.newest);
  throw new GamError("BAD_FRAME", `Cannot read ${path}.kind: "${unknown?.kind}" is no change`);
}

/** As readEnvelope(), of the bytes of an entry of the log. */
export function readProposal(data: Uint8Array, dialect = spokenDialect): Proposal {
  return readEnvelope(checkEnvelope(decode(data), "entry"), "entry", dialect);
}
