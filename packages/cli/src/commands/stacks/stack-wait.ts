/**
 * Stack wait: asks until all services of a stack have converged, and shows how far they are.
 *
 * On a terminal the lines are drawn anew; elsewhere a line is printed when it changes. A service has converged
 * when its tasks have run for the time of its `monitor`, as for the docker client.
 */
import { stackLabel } from "@gam/compose";
import type { AgentClient } from "../../agent/agent-client.ts";
import type { CommandIo } from "../../agent/command-io.ts";
import {
  checkNodes,
  checkServices,
  checkTasks,
  listPath,
  type ServiceItem,
} from "../../agent/engine-calls.ts";
import {
  goneProgress,
  progressLine,
  progressOf,
  type ServiceProgress,
} from "../../views/convergence.ts";

const roundMs = 300;
/** A failure that Swarm may still mend, such as a restart after a delay, must last for so long. */
const failureMsMin = 3000;
const lineLengthMax = 100;

export interface WaitOptions {
  readonly name: string;
  /** Names of the services. */
  readonly services: ReadonlySet<string>;
  /** The services before the deploy. */
  readonly before: readonly ServiceItem[];
  readonly quiet: boolean;
  readonly isStopped: () => boolean;
}

export interface WaitResult {
  readonly failed: readonly ServiceProgress[];
  /** Services that have not converged when the wait was stopped. */
  readonly open: readonly ServiceProgress[];
}

/** Errors: those of AgentClient. */
export async function waitForStack(
  client: AgentClient,
  io: CommandIo,
  options: WaitOptions,
): Promise<WaitResult> {
  const startedAt = new Map(
    options.before.map(({ ID, UpdateStatus }) => [ID, UpdateStatus?.StartedAt ?? ""]),
  );
  const settled = new Map<string, { state: ServiceProgress["state"]; sinceMs: number }>();
  const screen = new Screen(io, options.quiet);
  while (true) {
    const found = await look(client, options, startedAt);
    const nowMs = io.nowMs();
    for (const { name, state } of found) {
      if (settled.get(name)?.state !== state) settled.set(name, { state, sinceMs: nowMs });
    }
    const isOver = ({ name, state, monitorMs }: ServiceProgress): boolean => {
      const lastedMs = nowMs - (settled.get(name)?.sinceMs ?? nowMs);
      if (state === "done") return true;
      if (state === "failed") return lastedMs >= failureMsMin;
      return state === "converged" && lastedMs >= monitorMs;
    };
    screen.show(found.map((one) => progressLine(one)));
    const open = found.filter((one) => !isOver(one));
    const failed = found.filter((one) => isOver(one) && one.state === "failed");
    if (open.length === 0 || options.isStopped()) return { failed, open };
    await io.pause(roundMs);
  }
}

async function look(
  client: AgentClient,
  { name, services: names }: WaitOptions,
  startedAt: ReadonlyMap<string, string>,
): Promise<ServiceProgress[]> {
  const label = [`${stackLabel}=${name}`];
  const services = checkServices(await client.get(listPath("/services", { label })), "services");
  const upToDate = { label, "_up-to-date": ["true"] };
  const tasks = checkTasks(await client.get(listPath("/tasks", upToDate)), "tasks");
  const nodes = checkNodes(await client.get(listPath("/nodes")), "nodes");
  return [...names].sort().map((one) => {
    const service = services.find(({ Spec }) => Spec.Name === one);
    if (service === undefined) return goneProgress(one);
    const own = tasks.filter(({ ServiceID }) => ServiceID === service.ID);
    return progressOf(service, { tasks: own, nodes, before: startedAt.get(service.ID) ?? "" });
  });
}

/** The lines of all services, drawn anew on a terminal and printed when they change elsewhere. */
class Screen {
  readonly #io: CommandIo;
  readonly #quiet: boolean;
  #shown: readonly string[] = [];

  constructor(io: CommandIo, quiet: boolean) {
    this.#io = io;
    this.#quiet = quiet;
  }

  show(lines: readonly string[]): void {
    if (this.#quiet) return;
    const cut = lines.map((line) => line.slice(0, lineLengthMax));
    if (this.#io.draw === undefined) {
      for (const line of cut) if (!this.#shown.includes(line)) this.#io.print(line);
    } else if (cut.join("\n") !== this.#shown.join("\n")) {
      const up = this.#shown.length > 0 ? `\x1b[${this.#shown.length}A` : "";
      this.#io.draw(`${up}${cut.map((line) => `\x1b[2K${line}\n`).join("")}`);
    }
    this.#shown = cut;
  }
}
