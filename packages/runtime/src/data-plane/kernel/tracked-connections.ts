/**
 * Tracked connections: deletes conntrack entries whose backend is gone.
 *
 * A flow keeps its backend for as long as packets come. So entries are deleted in three cases:
 * - UDP flows of a backend that leaves its service, at once: a sender that never pauses would stay with it;
 * - all flows of an address that leaves the network, so that a client is refused and does not wait. Until then,
 *   while a task drains, its TCP connections stay;
 * - UDP flows to a port that has just been published: they would stay with the host itself.
 *
 * Source: conntrack(8). Without the program such flows end by themselves or not at all.
 */
import { addressesIn, backendsIn, type NodePlan } from "@gam/network";
import { CommandFailed, type Run } from "./command.ts";

const atOnce = 4;
const triesMax = 5;

interface Flows {
  /** Addresses of the backends of services and ports. */
  readonly backends: ReadonlySet<string>;
  readonly addresses: ReadonlySet<string>;
  /** UDP ports with a backend. */
  readonly ports: ReadonlySet<number>;
}

export class TrackedConnections {
  readonly #run: Run;
  #left: Flows | undefined;

  constructor(run: Run) {
    this.#run = run;
  }

  /** Deletes the entries that this plan makes obsolete. Errors: CommandFailed; there is no second try. */
  async follow(plan: NodePlan): Promise<void> {
    const before = this.#left;
    const after = flowsOf(plan);
    this.#left = after;
    if (before === undefined) return;
    const calls = endings(before, after);
    const next = async (): Promise<void> => {
      for (let call = calls.shift(); call !== undefined; call = calls.shift()) {
        await this.#forget(call);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, next));
  }

  async #forget(filter: readonly string[]): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#run("conntrack", ["-D", ...filter]);
        return;
      } catch (thrown) {
        if (!(thrown instanceof CommandFailed)) throw thrown;
        if (thrown.missing || /\b0 flow entries/.test(thrown.stderr)) return;
        // conntrack stops when a flow that it has listed ends by itself before it is deleted.
        if (!/such conntrack doesn't exist/.test(thrown.stderr) || tries === triesMax) throw thrown;
      }
    }
  }
}

/** The filters of the flows to delete, as arguments of conntrack. */
function endings(before: Flows, after: Flows): string[][] {
  const gone = new Set([...before.addresses].filter((address) => !after.addresses.has(address)));
  const lost = [...before.backends].filter(
    (address) => !after.backends.has(address) && !gone.has(address),
  );
  const opened = [...after.ports].filter((port) => !before.ports.has(port));
  return [
    ...lost.map((address) => ["-p", "udp", "--reply-src", address]),
    ...[...gone].map((address) => ["--reply-src", address]),
    ...opened.map((port) => ["-p", "udp", "--orig-port-dst", `${port}`]),
  ];
}

function flowsOf(plan: NodePlan): Flows {
  const { networks, ports } = plan;
  const open = ports.filter(({ backends }) => backends.length > 0);
  return {
    backends: new Set(backendsIn(plan)),
    addresses: new Set(networks.flatMap(addressesIn)),
    ports: new Set(
      open.filter(({ protocol }) => protocol === "udp").map(({ published }) => published),
    ),
  };
}
