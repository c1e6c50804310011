/**
 * Dialect: which changes of the log a gam can read, and which ones every member can.
 *
 * A dialect is a number. Dialect 2 is dialect 1 and the kinds of changes and the fields that came with it. A gam
 * speaks one dialect and all before it. Each peer says in its node which one that is; a change may enter the
 * log only when every member can read it. So hosts are upgraded one after the other, and no replica ever skips
 * what another one applies.
 *
 * Decides which dialect a change needs and whether the members speak it. Does not decide what happens to an
 * entry that cannot be read (vetting.ts of the peer).
 *
 * How a kind or a field is added: docs/releasing.md.
 */
import type { Change, Proposal, Refusal } from "./change.ts";
import type { View } from "./view.ts";

/** Of all that says none. */
export const firstDialect = 1;

/** Each kind of change, and each of its fields: the dialect that it came with. */
type Since = {
  readonly [Kind in Change["kind"]]: {
    readonly [Field in keyof Extract<Change, { readonly kind: Kind }>]-?: number;
  };
};

export interface Dialect {
  /** The newest one that is spoken. */
  readonly newest: number;
  readonly since: Since;
  /**
   * Fields inside of those, which apply looks at, by their path: `updateService.spec.Mode.Cron`. A path goes
   * through lists.
   */
  readonly inner: Readonly<Record<string, number>>;
}

/** What this gam speaks. */
export const spokenDialect: Dialect = {
  newest: 1,
  since: {
    createCluster: { kind: 1, cluster: 1 },
    updateCluster: { kind: 1, spec: 1, basedOn: 1 },
    rotateTokens: { kind: 1, worker: 1, manager: 1 },
    rotateRoot: { kind: 1, root: 1, next: 1, tokens: 1 },
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
    createNetwork: { kind: 1, network: 1 },
    removeNetwork: { kind: 1, id: 1 },
    attachContainer: { kind: 1, network: 1, key: 1, node: 1, name: 1, wish: 1, aliases: 1 },
    detachContainer: { kind: 1, network: 1, key: 1 },

    describeNode: {
      kind: 1,
      id: 1,
      description: 1,
      addresses: 1,
      engine: 1,
      network: 1,
      root: 1,
      dialect: 1,
    },
    reportTask: { kind: 1, id: 1, status: 1 },

    judgeNode: { kind: 1, id: 1, status: 1 },
    endRootRotation: { kind: 1, publicKey: 1 },
    createTask: { kind: 1, task: 1 },
    assignTask: { kind: 1, id: 1, node: 1, status: 1 },
    explainTask: { kind: 1, id: 1, status: 1 },
    desireTask: { kind: 1, id: 1, desired: 1 },
    orphanTask: { kind: 1, id: 1, status: 1 },
    removeTask: { kind: 1, id: 1 },
    progressUpdate: { kind: 1, id: 1, basedOn: 1, status: 1, waveAtMs: 1, updated: 1 },
    rollbackService: { kind: 1, id: 1, basedOn: 1, message: 1 },
    setEndpoint: { kind: 1, id: 1, endpoint: 1 },
    allocateNetwork: { kind: 1, id: 1, vni: 1, config: 1 },
    setGateways: { kind: 1, id: 1, gateways: 1 },
    attachTask: { kind: 1, id: 1, attachments: 1 },
    setAttachment: { kind: 1, id: 1, key: 1, address: 1 },
    refuseAttachment: { kind: 1, id: 1, key: 1 },
    setTunnel: { kind: 1, id: 1, address: 1 },
  },
  inner: {},
};

/** A field that a later dialect than the first brought. */
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

/** The dialect that whoever reads this change must speak. */
export function dialectOfChange(change: Change, dialect: Dialect): number {
  let needed = firstDialect;
  for (const later of laterOf(dialect)) {
    if (later.dialect <= needed || later.kind !== change.kind) continue;
    if (reaches(change, later.path)) needed = later.dialect;
  }
  return needed;
}

/** The highest that one of them needs. */
export function dialectOfChanges(changes: readonly Change[], dialect: Dialect): number {
  let needed = firstDialect;
  for (const change of changes) needed = Math.max(needed, dialectOfChange(change, dialect));
  return needed;
}

/** The dialect that an entry of the log says it needs. */
export function dialectOfProposal({ dialect }: Pick<Proposal, "dialect">): number {
  return dialect ?? firstDialect;
}

/**
 * The lowest dialect that a member speaks. Plans of the leader that could use a newer one ask for this first.
 *
 * Returns: Infinity where there is no member.
 */
export function lowestDialect(view: Pick<View, "nodes">): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (const { Gam } of view.nodes()) lowest = Math.min(lowest, Gam.dialect ?? firstDialect);
  return lowest;
}

/** More than these are counted and not named. */
const namedMax = 5;

/**
 * Why a change that needs this dialect must not be applied to this state: some member cannot read it. `undefined`
 * when all can.
 *
 * The words follow from the state and the number alone. They are stored as the outcome of the proposal, also
 * by peers that cannot read the change: every later version has to say it in the same words.
 */
export function refusalOfDialect(
  view: Pick<View, "nodes" | "dialect">,
  needed: number,
): Refusal | undefined {
  // No member speaks less than what the log has used: refusal.ts lets none in.
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
