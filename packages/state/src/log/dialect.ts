/**
 * Dialect: which changes of the log a gam can read, and which ones every member can.
 *
 * A dialect is a number. Dialect 2 is dialect 1 plus the kinds of changes and the fields that were added with
 * it. A gam speaks one dialect and all earlier ones, and each peer reports its dialect in its node. A change
 * may enter the log only when every member can read it. So hosts can be upgraded one after the other, and no
 * replica ever skips what another one applies.
 *
 * Decides which dialect a change needs and whether the members speak it. Does not decide what happens to an
 * entry that cannot be read (vetting.ts of the peer).
 *
 * How to add a kind or a field: docs/releasing.md.
 */
import type { Change, Proposal, Refusal } from "./change.ts";
import type { View } from "./view.ts";

/** The dialect of everything that names none. */
export const firstDialect = 1;

/** For each kind of change and each of its fields: the dialect that added it. */
type Since = {
  readonly [Kind in Change["kind"]]: {
    readonly [Field in keyof Extract<Change, { readonly kind: Kind }>]-?: number;
  };
};

export interface Dialect {
  /** The newest dialect that is spoken. */
  readonly newest: number;
  readonly since: Since;
  /** Nested fields that apply uses, by path: `updateService.spec.Mode.Cron`. A path goes through lists. */
  readonly inner: Readonly<Record<string, number>>;
}

/** The dialect that this gam speaks. */
export const spokenDialect: Dialect = {
  newest: 1,
  since: {
    createCluster: { kind: 1, cluster: 1 },
    updateCluster: { kind: 1, spec: 1, basedOn: 1, unlockKey: 1 },
    setPolicy: { kind: 1, policy: 1, basedOn: 1 },
    rotateTokens: { kind: 1, worker: 1, manager: 1 },
    rotateRoot: { kind: 1, root: 1, next: 1, tokens: 1, keys: 1, unlockKey: 1 },
    askRebalance: { kind: 1, auto: 1, run: 1 },
    dropSealingKey: { kind: 1, id: 1 },
    joinNode: { kind: 1, node: 1 },
    updateNode: { kind: 1, id: 1, spec: 1, basedOn: 1 },
    removeNode: { kind: 1, id: 1, onlyIf: 1 },
    createService: { kind: 1, id: 1, spec: 1, registryAuth: 1 },
    updateService: {
      kind: 1,
      id: 1,
      spec: 1,
      registryAuth: 1,
      registryAuthFrom: 1,
      basedOn: 1,
    },
    removeService: { kind: 1, id: 1 },
    runJob: { kind: 1, id: 1 },
    steerRollout: { kind: 1, id: 1, version: 1, action: 1 },
    resealCredentials: { kind: 1, id: 1, which: 1, from: 1, to: 1, basedOn: 1 },
    createSecret: { kind: 1, id: 1, spec: 1, content: 1 },
    updateSecret: { kind: 1, id: 1, labels: 1, content: 1, basedOn: 1 },
    removeSecret: { kind: 1, id: 1 },
    resealSecret: { kind: 1, id: 1, version: 1, from: 1, to: 1 },
    createConfig: { kind: 1, id: 1, spec: 1, content: 1 },
    updateConfig: { kind: 1, id: 1, labels: 1, content: 1, basedOn: 1 },
    removeConfig: { kind: 1, id: 1 },
    createNetwork: { kind: 1, network: 1 },
    removeNetwork: { kind: 1, id: 1 },
    attachContainer: { kind: 1, network: 1, key: 1, node: 1, name: 1, wish: 1, aliases: 1 },
    detachContainer: { kind: 1, network: 1, key: 1 },
    removeVolume: { kind: 1, id: 1, node: 1 },
    moveVolume: { kind: 1, id: 1, move: 1, from: 1, to: 1 },
    stopVolumeMove: { kind: 1, id: 1, move: 1, error: 1 },

    describeNode: {
      kind: 1,
      id: 1,
      description: 1,
      addresses: 1,
      engine: 1,
      network: 1,
      root: 1,
      dialect: 1,
      version: 1,
    },
    reportTask: { kind: 1, id: 1, status: 1 },
    beginVolumeCopy: { kind: 1, id: 1, move: 1, copy: 1 },
    reportVolumeMove: { kind: 1, id: 1, move: 1, copy: 1, bytes: 1, totalBytes: 1 },
    endVolumeMove: { kind: 1, id: 1, move: 1, copy: 1, digest: 1 },
    dropVolumeLeftover: { kind: 1, id: 1, move: 1, node: 1 },
    backupVolume: { kind: 1, id: 1, backup: 1 },
    endBackup: { kind: 1, id: 1, backup: 1, end: 1, dropped: 1 },
    restoreVolume: { kind: 1, id: 1, restore: 1, node: 1, source: 1, bytes: 1, digest: 1 },
    endVolumeRestore: { kind: 1, id: 1, restore: 1, error: 1 },

    judgeNode: { kind: 1, id: 1, status: 1 },
    endRootRotation: { kind: 1, publicKey: 1 },
    createTask: { kind: 1, task: 1 },
    assignTask: { kind: 1, id: 1, node: 1, status: 1, generic: 1 },
    explainTask: { kind: 1, id: 1, status: 1 },
    desireTask: { kind: 1, id: 1, desired: 1 },
    orphanTask: { kind: 1, id: 1, status: 1 },
    removeTask: { kind: 1, id: 1 },
    progressUpdate: { kind: 1, id: 1, basedOn: 1, status: 1, waveAtMs: 1, updated: 1 },
    rollbackService: { kind: 1, id: 1, basedOn: 1, message: 1 },
    progressRollout: { kind: 1, id: 1, basedOn: 1, rollout: 1, status: 1, updated: 1 },
    noteRebalance: { kind: 1, basedOn: 1, isAsked: 1, open: 1, past: 1, stopped: 1 },
    scaleService: { kind: 1, id: 1, basedOn: 1, from: 1, to: 1, reason: 1, advice: 1 },
    handleDue: {
      kind: 1,
      id: 1,
      basedOn: 1,
      sinceMs: 1,
      handledMs: 1,
      missed: 1,
      startMs: 1,
    },
    endRun: { kind: 1, id: 1, iteration: 1, end: 1 },
    setEndpoint: { kind: 1, id: 1, endpoint: 1 },
    dropSecretContents: { kind: 1, id: 1, versions: 1 },
    dropConfigContents: { kind: 1, id: 1, versions: 1 },
    allocateNetwork: { kind: 1, id: 1, vni: 1, config: 1 },
    setGateways: { kind: 1, id: 1, gateways: 1 },
    attachTask: { kind: 1, id: 1, attachments: 1 },
    setAttachment: { kind: 1, id: 1, key: 1, address: 1 },
    refuseAttachment: { kind: 1, id: 1, key: 1 },
    setTunnel: { kind: 1, id: 1, address: 1 },
    abandonVolumeMove: { kind: 1, id: 1, move: 1, error: 1 },
    handleBackupDue: {
      kind: 1,
      id: 1,
      sinceMs: 1,
      handledMs: 1,
      schedule: 1,
      missed: 1,
      starts: 1,
    },
  },
  inner: {},
};

/** A field that a later dialect than the first added. */
interface Later {
  readonly kind: string;
  readonly path: readonly string[];
  readonly dialect: number;
}

const laterIn = new WeakMap<Dialect, readonly Later[]>();

function laterOf(dialect: Dialect): readonly Later[] {
  const known = laterIn.get(dialect);
  if (known !== undefined) return known;
  const own = Object.entries(dialect.since).flatMap(([kind, fields]) => {
    return Object.entries(fields).map(([field, came]) => [`${kind}.${field}`, came] as const);
  });
  const later = [...own, ...Object.entries(dialect.inner)]
    .filter(([, came]) => came > firstDialect)
    .map(([text, came]): Later => {
      const [kind = "", ...path] = text.split(".");
      return { kind, path, dialect: came };
    });
  laterIn.set(dialect, later);
  return later;
}

/** Returns: the dialect that a reader of this change must speak. */
export function dialectOfChange(change: Change, dialect: Dialect): number {
  let needed = firstDialect;
  for (const later of laterOf(dialect)) {
    if (later.dialect <= needed || later.kind !== change.kind) continue;
    if (reaches(change, later.path)) needed = later.dialect;
  }
  return needed;
}

/** Returns: the highest dialect that one of the changes needs. */
export function dialectOfChanges(changes: readonly Change[], dialect: Dialect): number {
  let needed = firstDialect;
  for (const change of changes) needed = Math.max(needed, dialectOfChange(change, dialect));
  return needed;
}

/** Returns: the dialect that a log entry says it needs. */
export function dialectOfProposal({ dialect }: Pick<Proposal, "dialect">): number {
  return dialect ?? firstDialect;
}

/**
 * Returns: the lowest dialect that a member speaks; Infinity where there is no member. Plans of the leader that
 *         could use a newer dialect check this first.
 */
export function lowestDialect(view: Pick<View, "nodes">): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (const { Gam } of view.nodes()) lowest = Math.min(lowest, Gam.dialect ?? firstDialect);
  return lowest;
}

/** Only so many hosts are named; the rest are counted. */
const namedMax = 5;

/**
 * Returns: why a change that needs this dialect must not be applied to this state: some member cannot read it.
 *         Undefined when all members can.
 *
 * The text depends on the state and the number alone. Every peer stores it as the proposal's outcome, even a
 * peer that cannot read the change. So every later version has to use the same text.
 */
export function refusalOfDialect(
  view: Pick<View, "nodes" | "dialect">,
  needed: number,
): Refusal | undefined {
  // No member speaks an older dialect than the log has used: node-change.ts does not let one join.
  if (needed <= view.dialect || needed <= lowestDialect(view)) return undefined;
  const behind = view.nodes().filter(({ Gam }) => (Gam.dialect ?? firstDialect) < needed);
  const names = behind
    .slice(0, namedMax)
    .map(({ ID, Description }) => `"${Description.Hostname || ID}"`)
    .join(", ");
  const more = behind.length > namedMax ? ` and ${behind.length - namedMax} more` : "";
  const message =
    `Cannot write: gam on some hosts is too old to read this change, which needs dialect ${needed} of the log. ` +
    `Upgrade gam on ${names}${more} first, or remove hosts that are gone with "docker node rm --force"`;
  return { code: "REFUSED", message };
}

function reaches(value: unknown, fields: readonly string[]): boolean {
  const [field, ...rest] = fields;
  if (field === undefined) return value !== undefined && value !== null;
  if (Array.isArray(value)) return value.some((one) => reaches(one, fields));
  if (typeof value !== "object" || value === null) return false;
  return reaches((value as Readonly<Record<string, unknown>>)[field], rest);
}
