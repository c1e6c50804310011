/**
 * Authority: who may do what, by role, in one table.
 *
 * Decides whether a peer may make a change and whether it may send a Raft message. Both this peer's state and
 * the sender's certificate say the sender's role; it acts as a manager only if both say manager. Where the
 * state is older than the certificate, the certificate alone counts: a peer that was away must accept a manager
 * that was promoted, or joined, since then. Does not decide whether a change makes sense (state) nor who is
 * connected (mesh).
 *
 * A worker describes itself, reports its own tasks, attaches its own containers to networks and leaves. All
 * other changes are for managers. Plans are for the leader: no peer may propose them to another peer.
 */
import type { Message as RaftMessage } from "@gam/consensus";
import type { NodeId } from "@gam/core";
import {
  type Change,
  compareStates,
  hostOf,
  type NodeRole,
  type TaskStatus,
  type View,
} from "@gam/state";

/** What the connection knows about the peer at its other end. */
export interface Sender {
  /** From its certificate. */
  readonly role: NodeRole;
  /** The index of the log at which that role was looked up. */
  readonly asOf: number;
  /** Hosts at which this peer has reached it. */
  readonly hosts: ReadonlySet<string>;
}

/** The peer that asks. `sender`: undefined for this peer itself. */
export interface Asker {
  readonly id: NodeId;
  readonly sender: Sender | undefined;
}

type Of<Kind extends Change["kind"]> = Extract<Change, { readonly kind: Kind }>;
/** `true`, or the reason for refusing, worded to follow the name of the change. */
type Rule<Kind extends Change["kind"]> =
  | true
  | string
  | ((change: Of<Kind>, asker: Asker, view: View) => true | string);

const forManagers = "is for managers";
const forLeader = "is for the leader alone";
const founding = "is for the first peer of a cluster, before there is one";
const ofItself = ({ id }: { readonly id: NodeId }, asker: Asker): true | string =>
  id === asker.id || "is about another node";
const ofOwnEngine = ({ node }: { readonly node: NodeId }, asker: Asker): true | string =>
  node === asker.id || "is about a volume of another node";
const ownContainer = ({ node }: { readonly node: NodeId }, asker: Asker): true | string =>
  node === asker.id || "is about a container of another node";

/** Each kind of change: what a worker may, and what a manager may. */
const table: {
  readonly [Kind in Change["kind"]]: readonly [worker: Rule<Kind>, manager: Rule<Kind>];
} = {
  describeNode: [isTrueOfWorker, isTrueOfItself],
  reportTask: [isLegalReport, isLegalReport],
  attachContainer: [ownContainer, ownContainer],
  detachContainer: [isOwnAttachment, isOwnAttachment],
  removeNode: [ofItself, true],

  createCluster: [founding, (_, asker) => asker.sender === undefined || founding],
  // The manager that asks has checked the joiner's token.
  joinNode: [forManagers, true],
  updateNode: [forManagers, true],
  updateCluster: [forManagers, true],
  setPolicy: [forManagers, true],
  rotateTokens: [forManagers, true],
  rotateRoot: [forManagers, true],
  createService: [forManagers, true],
  updateService: [forManagers, true],
  removeService: [forManagers, true],
  runJob: [forManagers, true],
  steerRollout: [forManagers, true],
  createNetwork: [forManagers, true],
  removeNetwork: [forManagers, true],
  createSecret: [forManagers, true],
  updateSecret: [forManagers, true],
  removeSecret: [forManagers, true],
  createConfig: [forManagers, true],
  updateConfig: [forManagers, true],
  removeConfig: [forManagers, true],
  // A worker's engine may lose a volume too, but only its own.
  removeVolume: [ofOwnEngine, true],
  moveVolume: [forManagers, true],
  // The node that copies gives up, or a person does.
  stopVolumeMove: [isOwnMove, true],
  beginVolumeCopy: [isOwnMove, isOwnMove],
  reportVolumeMove: [isOwnMove, isOwnMove],
  endVolumeMove: [isOwnMove, isOwnMove],
  dropVolumeLeftover: [ofOwnEngine, ofOwnEngine],
  backupVolume: [forManagers, true],
  endBackup: [isOwnBackup, isOwnBackup],
  restoreVolume: [ofOwnEngine, ofOwnEngine],
  endVolumeRestore: [isOwnRestore, isOwnRestore],
  // Any manager has the keys; the leader does it.
  resealSecret: [forManagers, true],
  resealCredentials: [forManagers, true],
  askRebalance: [forManagers, true],
  dropSealingKey: [forManagers, true],

  judgeNode: [forLeader, forLeader],
  endRootRotation: [forLeader, forLeader],
  createTask: [forLeader, forLeader],
  assignTask: [forLeader, forLeader],
  explainTask: [forLeader, forLeader],
  desireTask: [forLeader, forLeader],
  orphanTask: [forLeader, forLeader],
  removeTask: [forLeader, forLeader],
  progressUpdate: [forLeader, forLeader],
  rollbackService: [forLeader, forLeader],
  progressRollout: [forLeader, forLeader],
  handleDue: [forLeader, forLeader],
  endRun: [forLeader, forLeader],
  noteRebalance: [forLeader, forLeader],
  scaleService: [forLeader, forLeader],
  setEndpoint: [forLeader, forLeader],
  allocateNetwork: [forLeader, forLeader],
  setGateways: [forLeader, forLeader],
  attachTask: [forLeader, forLeader],
  setAttachment: [forLeader, forLeader],
  refuseAttachment: [forLeader, forLeader],
  setTunnel: [forLeader, forLeader],
  abandonVolumeMove: [forLeader, forLeader],
  handleBackupDue: [forLeader, forLeader],
  dropSecretContents: [forLeader, forLeader],
  dropConfigContents: [forLeader, forLeader],
};

/** Messages of a candidate or leader. Every member may answer them; Raft counts the answers of voters only. */
const leadersWords: ReadonlySet<RaftMessage["kind"]> = new Set([
  "preVote",
  "vote",
  "append",
  "commit",
  "heartbeat",
  "snapshotChunk",
  "standNow",
  "readReply",
]);

/** Returns: undefined for a peer that is not a member, or not known as one in this state. */
export function roleOf(view: View, { id, sender }: Asker): NodeRole | undefined {
  const known = view.node(id)?.Spec.Role;
  // This peer has no state yet, or is not in it: it creates a cluster or is joining one.
  if (sender === undefined) return known ?? "manager";
  if (view.isRemoved(id) && view.index >= sender.asOf) return undefined;
  if (view.cluster === undefined || view.index < sender.asOf) return sender.role;
  return known === "manager" ? sender.role : known;
}

/** Returns: why the asker may not make these changes; undefined when it may. */
export function refusalOfChanges(
  view: View,
  asker: Asker,
  changes: readonly Change[],
): string | undefined {
  const role = roleOf(view, asker);
  if (role === undefined) return "it is no member";
  for (const change of changes) {
    const [worker, manager] = table[change.kind];
    const rule = (role === "manager" ? manager : worker) as Rule<typeof change.kind>;
    const may = typeof rule === "function" ? rule(change as never, asker, view) : rule;
    if (may !== true) return `${change.kind} ${may}`;
  }
  return undefined;
}

/**
 * Returns: why the asker may not send this message; undefined when it may.
 * Shape: `term` is this peer's own.
 */
export function refusalOfRaft(
  view: View,
  asker: Asker,
  message: RaftMessage,
  term: number,
): string | undefined {
  const role = roleOf(view, asker);
  if (role === undefined) return "it is no member";
  if (role === "manager") return undefined;
  if (leadersWords.has(message.kind)) return `${message.kind} ${forManagers}`;
  // A worker never stands for election: it has its term from a leader, and the voters report that term too.
  return message.term > term ? `${message.kind} of a later term ${forManagers}` : undefined;
}

function isTrueOfItself(change: Of<"describeNode">, asker: Asker, view: View): true | string {
  if (change.id !== asker.id) return "is about another node";
  const { publicKey } = change.network;
  const owner = view
    .nodes()
    .find(
      ({ ID, Status, Gam }) =>
        ID !== asker.id &&
        Status.State !== "down" &&
        publicKey !== "" &&
        Gam.network?.publicKey === publicKey,
    );
  return owner === undefined || `has the tunnel key of node ${owner.ID}`;
}

function isTrueOfWorker(change: Of<"describeNode">, asker: Asker, view: View): true | string {
  const isTrue = isTrueOfItself(change, asker, view);
  if (isTrue !== true || asker.sender === undefined) return isTrue;
  const address = unverifiedAddress(change, asker.sender);
  return address === undefined || `has the address "${address}", where it was not found`;
}

/**
 * Returns: the address at which others would reach the node, if this peer has not found it there. Other hosts
 *         route packets by it.
 */
export function unverifiedAddress(
  { addresses }: Pick<Of<"describeNode">, "addresses">,
  { hosts }: Sender,
): string | undefined {
  const [first] = addresses;
  return first === undefined || hosts.has(hostOf(first)) ? undefined : first;
}

/**
 * The store already refuses states that go backwards. This checks whose task it is, and that a worker may
 * report the state.
 */
function isLegalReport(change: Of<"reportTask">, asker: Asker, view: View): true | string {
  const task = view.task(change.id);
  if (task === undefined) return true; // Removed since: the report has no effect.
  if (task.NodeID !== asker.id) return `is about task ${task.ID}, which is not its own`;
  if (compareStates(task.Status.State, "assigned") < 0) {
    return `is about task ${task.ID}, which was not assigned yet`;
  }
  return isWorkers(change.status) || `calls task ${task.ID} "${change.status.State}"`;
}

function isWorkers({ State }: TaskStatus): boolean {
  return compareStates(State, "accepted") >= 0 && compareStates(State, "remove") < 0;
}

/** Only the node that gets the data may say how far it is. Without that move the change has no effect. */
function isOwnMove(
  { id, move }: Pick<Of<"endVolumeMove">, "id" | "move">,
  asker: Asker,
  view: View,
): true | string {
  const present = view.volume(id)?.Move;
  return present?.id !== move || present.to === asker.id || "is about a volume of another node";
}

/** Only the node that makes a backup may end it. Without that backup the change has no effect. */
function isOwnBackup({ id, backup }: Of<"endBackup">, asker: Asker, view: View): true | string {
  const present = view.volume(id)?.Backups?.list.find((one) => one.id === backup);
  return present === undefined || ofOwnEngine(present, asker);
}

/** As isOwnBackup(). */
function isOwnRestore(
  { id, restore }: Of<"endVolumeRestore">,
  asker: Asker,
  view: View,
): true | string {
  const present = view.volume(id)?.Restore;
  return present?.id !== restore || ofOwnEngine(present, asker);
}

function isOwnAttachment(change: Of<"detachContainer">, asker: Asker, view: View): true | string {
  const attachment = view.network(change.network)?.Gam.attachments[change.key];
  // Without an attachment the change has no effect.
  return attachment === undefined || ownContainer(attachment, asker);
}
