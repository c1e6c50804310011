/**
 * Dump: the whole state as a value, which a snapshot is the bytes of.
 *
 * Decides whether bytes are a state that apply and the plans can go on from: every object has its shape, ids
 * are there once, and nothing is newer than the state itself.
 */
import { type Check, check, decode, type NodeId, type ProposalId } from "@gam/core";
import { type Outcome, refusalCodes } from "./change.ts";
import { checkCluster } from "./check-cluster.ts";
import { checkNetwork } from "./check-network.ts";
import { checkNode } from "./check-node.ts";
import { checkService } from "./check-service.ts";
import { checkTask } from "./check-task.ts";
import type { Cluster } from "./cluster.ts";
import { inOwnSchema, schema } from "./dump-schema.ts";
import { aDialect, aMessage, anIndex } from "./field-checks.ts";
import type { Network } from "./network.ts";
import type { Node } from "./node.ts";
import type { Service } from "./service.ts";
import type { Task } from "./task.ts";

/** Of each kind. More than any cluster that this program is for. */
const objectsMax = 1_000_000;

export interface Dump {
  readonly schema: number;
  readonly index: number;
  readonly dialect: number;
  readonly cluster: Cluster | undefined;
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly tasks: readonly Task[];
  readonly networks: readonly Network[];
  readonly removed: readonly NodeId[];
  readonly outcomes: readonly (readonly [ProposalId, Outcome])[];
}

const { id, list, literal, optional, struct, union, where } = check;

/** Each once, by what `keysOf` says of it. */
function once<T>(one: Check<T>, keysOf: (row: T) => readonly string[], wanted: string): Check<T[]> {
  return where(
    list(one, objectsMax),
    (rows) => {
      const keys = rows.flatMap(keysOf);
      return new Set(keys).size === keys.length;
    },
    wanted,
  );
}

const checkOutcome = union<Outcome>({
  applied: struct({ kind: literal("applied"), index: anIndex }),
  refused: struct({
    kind: literal("refused"),
    code: literal(...refusalCodes),
    message: aMessage,
  }),
});
const proposalId = id<ProposalId>();
const checkEntry: Check<readonly [ProposalId, Outcome]> = (value, path) => {
  const pair = Array.isArray(value) ? value : [];
  return [proposalId(pair[0], `${path}[0]`), checkOutcome(pair[1], `${path}[1]`)];
};

const shape = struct({
  schema: literal(schema),
  index: anIndex,
  dialect: aDialect,
  cluster: optional(checkCluster),
  nodes: once(checkNode, keysOfNode, "each node, address and key once"),
  services: once(checkService, ({ ID, Spec }) => [ID, ` ${Spec.Name}`], "each service once"),
  tasks: once(checkTask, ({ ID }) => [ID], "each task once"),
  networks: once(checkNetwork, ({ Id, Name }) => [Id, ` ${Name}`], "each network once"),
  removed: once(id<NodeId>(), (one) => [one], "each removed node once"),
  outcomes: once(checkEntry, ([one]) => [one], "each proposal once"),
});

function keysOfNode({ ID, Gam }: Node): readonly string[] {
  const { addresses, tunnel, network } = Gam;
  const keys = [tunnel, network?.publicKey].filter((one) => one !== undefined && one !== "");
  return [ID, ...new Set(addresses), ...(keys as string[])];
}

const checkDump: Check<Dump> = (value, path) => {
  const dump = shape(value, path) as Dump;
  const newest = check.integer(0, dump.index);
  for (const [at, { Version, Gam }] of dump.services.entries()) {
    newest(Version.Index, `${path}.services[${at}].Version.Index`);
    newest(Gam.templateVersion, `${path}.services[${at}].Gam.templateVersion`);
  }
  for (const [at, { Version }] of [...dump.nodes, ...dump.tasks, ...dump.networks].entries()) {
    newest(Version.Index, `${path}[${at}].Version.Index`);
  }
  return dump;
};

/**
 * The state that the bytes of a snapshot stand for.
 *
 * Errors: BAD_FRAME, with the path of the field that is wrong; NOT_SUPPORTED for a newer schema.
 */
export function readDump(data: Uint8Array): Dump {
  return checkDump(inOwnSchema(decode(data)), "snapshot");
}

const anything = keeping({});
const some = list(() => undefined, objectsMax);
const name = check.string(64);
const texts = check.map(check.string(2 ** 21), 2 ** 20);
const rows = keeping({
  schema: literal(schema),
  index: anIndex,
  dialect: aDialect,
  nodes: list(
    keeping({
      ID: name,
      Spec: keeping({ Labels: texts }),
      Description: keeping({
        Hostname: check.string(),
        Platform: anything,
        Resources: anything,
        Engine: keeping({ Labels: texts, Plugins: some }),
      }),
      Status: keeping({ State: name, Addr: check.string() }),
      Gam: keeping({ addresses: list(check.string(), 4096), engine: anything }),
    }),
    objectsMax,
  ),
  services: list(
    keeping({
      ID: name,
      Spec: keeping({
        Name: name,
        TaskTemplate: keeping({ ContainerSpec: keeping({ Image: check.string() }) }),
        Mode: anything,
      }),
      Endpoint: anything,
      Gam: keeping({ updated: some }),
    }),
    objectsMax,
  ),
  tasks: list(
    keeping({
      ID: name,
      ServiceID: name,
      Spec: keeping({ ContainerSpec: keeping({ Image: check.string() }) }),
      Status: keeping({ State: name }),
      DesiredState: name,
      Gam: keeping({ endpoint: anything, attachments: list(anything, 4096) }),
    }),
    objectsMax,
  ),
  networks: list(
    keeping({
      Id: name,
      Name: name,
      IPAM: keeping({ Config: list(anything, 4096) }),
      Gam: keeping({ gateways: texts, attachments: check.map(anything, objectsMax) }),
    }),
    objectsMax,
  ),
  removed: list(name, objectsMax),
  outcomes: list(checkEntry, objectsMax),
});

/** A value as it came, of which only these fields are looked at. */
function keeping(fields: Record<string, Check<unknown>>): Check<unknown> {
  const look = check.object(fields);
  return (value, path) => {
    look(value, path);
    return value;
  };
}

/**
 * As readDump(), for a state that was this peer's own: its rows have their parts, whatever is in these. Errors:
 * as readDump().
 */
export function readRows(data: Uint8Array): Dump {
  return rows(inOwnSchema(decode(data)), "snapshot") as Dump;
}
