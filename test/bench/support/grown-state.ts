/** The state of a large cluster, for benches: services whose tasks run, evenly on all nodes. */
import type { NodeId, ServiceId } from "@gam/core";
import { Journal, type Recovered } from "@gam/peer";
import type { Change } from "@gam/state";
import { aCluster, aNode, aService, aTask, TestLog } from "@gam/state/testing";

/** An id with the form of a real one, from a letter for the kind of object and a number. */
export function idOf<Id extends string>(kind: string, n: number): Id {
  return `${kind}${String(n).padStart(24, "0")}` as Id;
}

export interface Size {
  readonly services: number;
  readonly tasks: number;
  readonly nodes: readonly NodeId[];
}

/** Services are `s0`, `s1` and so on, tasks `t0`, `t1` and so on; task n is on node n, modulo their number. */
export function grownState({ services, tasks, nodes }: Size): TestLog {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  const address = (n: number): string => `10.250.${n >> 8}.${n & 255}`;
  log.write(
    ...nodes.map((id, n): Change => {
      return { kind: "joinNode", node: aNode(id, { address: address(n) }) };
    }),
  );
  const each = Math.floor(tasks / services);
  for (let n = 0; n < services; n += 1) log.write(aService(idOf("s", n), { replicas: each }));
  for (let n = 0; n < tasks; n += 1) {
    const service = idOf<ServiceId>("s", n % services);
    const { templateVersion } = log.store.service(service)?.Gam ?? {};
    const slot = 1 + Math.floor(n / services);
    const wish = { slot, node: nodes[n % nodes.length] as string, extra: { templateVersion } };
    log.write({ kind: "createTask", task: aTask(service, idOf("t", n), wish as never) });
  }
  return log;
}

/** The disk of a peer that has all of that log, in one snapshot. */
export function diskOf({ store }: TestLog, voters: readonly NodeId[]): Recovered {
  const learners = store
    .nodes()
    .map(({ ID }) => ID)
    .filter((id) => !voters.includes(id))
    .sort();
  const configuration = { voters: voters.toSorted(), votersOutgoing: [], learners, standbys: [] };
  const snapshot = { index: store.index, term: 1, configuration, data: store.dump() };
  const hardState = { term: 1, votedFor: undefined, commit: store.index };
  const journal = new Journal();
  journal.request({ write: 0, hardState, entries: [], snapshot });
  journal.take();
  journal.persisted();
  return { restored: { hardState, snapshot, entries: [] }, journal, cut: undefined };
}
