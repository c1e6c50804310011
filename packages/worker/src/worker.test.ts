import { test } from "node:test";
import type { NetworkId, TaskId } from "@gam/core";
import { type Command, runScripts } from "@gam/core/testing";
import { type DesiredState, mergeStatus, type Network, type Task } from "@gam/state";
import type { EngineAction } from "./action.ts";
import type { WorkerEffect } from "./effect.ts";
import { Worker, type WorkerInput, workerLimitsDefault } from "./index.ts";
import {
  aNetwork,
  aNode,
  anOverlay,
  aTask,
  type FakeProgram,
  SimEngine,
  withFiles,
} from "./testing/index.ts";

const programs: Readonly<Record<string, FakeProgram>> = {
  "tiny:1": {},
  "slow:1": { stopTicks: 50, stopCode: 137 },
  "checked:1": { healthyTicks: 3 },
  "job:1": { exitTicks: 2 },
  "broken:1": { startError: 'exec: "/nosuch": no such file' },
  "far:1": {},
};

/**
 * A worker, a fake engine and a state that takes every report. Prints what passes between them: `> action`,
 * `! failed outcome`, `= reported state`.
 */
class World {
  readonly #tasks = new Map<TaskId, Task>();
  readonly #networks = new Map<string, Network>();
  readonly #drainsMs = new Map<TaskId, number>();
  readonly #engine = new SimEngine({
    images: ["tiny:1", "slow:1", "checked:1", "job:1", "broken:1"],
    registry: ["far:1"],
    programs,
    actionTicks: (action) => (action.kind === "ensureImage" ? 15 : 1),
    resyncTicks: 1000,
  });
  #worker = new Worker();
  #shown: string[] = [];
  #caughtUp = true;
  #taking = true;
  #nowMs = 0;
  #unsettled = 0;
  #index = 0;
  /** Whether the other nodes report a change of connections at once. */
  #steering = true;

  run({ verb, words, options }: Command): string {
    const task = words[0] as TaskId;
    switch (verb) {
      case "start":
        this.#caughtUp = !words.includes("behind");
        this.#boot();
        break;
      case "network":
        this.#networks.set(task, words[1] === undefined ? anOverlay(task) : aNetwork(task));
        this.#assign();
        break;
      case "unnetwork":
        this.#networks.delete(task);
        this.#assign();
        break;
      case "task": {
        const image = options.has("image") ? options.string("image") : "tiny:1";
        const policy = options.has("restart") ? options.string("restart") : "any";
        const network = options.has("network") ? `${options.string("network")}-id` : undefined;
        const attachments =
          network === undefined ? [] : [{ network: network as NetworkId, address: "10.0.1.7" }];
        const [desired = "running"] = words.slice(1).filter((word) => word !== "waiting");
        const made = aTask(task, {
          DesiredState: desired as DesiredState,
          Spec: {
            ContainerSpec: { Image: image },
            RestartPolicy: { Condition: policy as "any", Delay: 1e9 },
          },
        });
        const Status = words.includes("waiting")
          ? { ...made.Status, State: "pending" }
          : made.Status;
        const serviceLabels: Task["Gam"]["serviceLabels"] = options.has("on")
          ? { "gam.depends_on": options.string("on") }
          : {};
        const Gam = { ...made.Gam, attachments, serviceLabels };
        const whole = { ...made, Status, Gam } as Task;
        this.#tasks.set(task, options.has("files") ? withFiles(whole) : whole);
        this.#assign();
        break;
      }
      case "place":
        this.#change(task, { Status: aTask(task).Status });
        break;
      case "explain": {
        const Status = {
          ...aTask(task).Status,
          State: "pending",
          Message: words.slice(1).join(" "),
        };
        this.#change(task, { Status } as Partial<Task>);
        break;
      }
      case "desire":
        this.#change(task, { DesiredState: words[1] as DesiredState });
        break;
      case "forget":
        this.#tasks.delete(task);
        this.#assign();
        break;
      case "caughtup":
        this.#caughtUp = true;
        this.#assign();
        break;
      case "led":
        this.#step({ kind: "led", led: words[0] === "yes" });
        break;
      case "losing":
        this.#taking = words[0] === "no";
        break;
      case "drain":
        this.#drainsMs.set(task, Number(words[1]));
        this.#assign();
        break;
      case "connect":
        this.#engine.connect(task, options.number("ticks"));
        break;
      case "steering":
        this.#steering = words[0] === "yes";
        this.#steer();
        break;
      case "exit":
        this.#engine.exit(task, options.number("code"));
        break;
      case "unhealthy":
        this.#engine.health(task, "unhealthy");
        break;
      case "remove":
        this.#engine.remove(task);
        break;
      case "plant":
        this.#engine.plant({
          id: `${task}-container`,
          task,
          phase: "running",
          exitCode: 0,
          pid: 7,
          health: "none",
          ports: [],
        });
        break;
      case "engine":
        if (words[0] === "lost") this.#engine.lose("connection refused");
        else this.#engine.recover();
        break;
      case "power":
        this.#engine.powerLoss();
        break;
      case "managers":
        this.#engine.silence(words[0] === "silent");
        break;
      case "oldlist":
        this.#step({ kind: "containers", containers: [] });
        break;
      case "tick":
        for (let n = Number(words[0]); n > 0; n -= 1) this.#tick();
        break;
      case "state":
        return this.#state();
      case "accounted":
        return this.#worker.hasAccounted ? "yes" : "no";
      default:
        throw new Error(`Cannot run "${verb}": no such command`);
    }
    const shown = this.#shown;
    this.#shown = [];
    return shown.join("\n") || "nothing";
  }

  #boot(): void {
    this.#worker = new Worker(workerLimitsDefault);
    this.#unsettled = 0;
    this.#engine.attach();
    this.#step({ kind: "led", led: true });
    this.#assign();
  }

  #assign(): void {
    this.#index += 1;
    this.#step({
      kind: "assigned",
      cluster: "cluster1",
      self: aNode(),
      tasks: [...this.#tasks.values()],
      drainsMs: new Map(this.#drainsMs),
      networks: [...this.#networks.values()],
      caughtUp: this.#caughtUp,
      index: this.#index,
    });
    this.#steer();
  }

  #steer(): void {
    if (this.#steering) this.#step({ kind: "steered", index: this.#index });
  }

  #change(id: TaskId, change: Partial<Task>): void {
    const task = this.#tasks.get(id);
    if (task === undefined) return;
    this.#tasks.set(id, { ...task, ...change });
    this.#assign();
  }

  #tick(): void {
    this.#nowMs += 100;
    const news = this.#engine.tick();
    // A report is settled one tick after it was sent.
    for (; this.#unsettled > 0; this.#unsettled -= 1) {
      this.#step({ kind: "settled", committed: this.#taking });
    }
    this.#step({ kind: "tick", nowMs: this.#nowMs });
    for (const input of news) {
      if (input.kind === "acted" && !input.outcome.ok) {
        this.#shown.push(`! ${input.outcome.failure}: ${input.outcome.message}`);
      }
      this.#step(input);
    }
  }

  #step(input: WorkerInput): void {
    for (const effect of this.#worker.step(input)) this.#perform(effect);
  }

  #perform(effect: WorkerEffect): void {
    if (effect.kind === "engine") {
      this.#shown.push(`> ${show(effect.action)}`);
      this.#engine.perform(effect.action);
      return;
    }
    this.#unsettled += 1;
    for (const change of effect.changes) {
      if (change.kind !== "reportTask") continue;
      const { State, Message, Err } = change.status;
      this.#shown.push(`= ${change.id} ${State} "${Message}"${Err === undefined ? "" : ` ${Err}`}`);
      const task = this.#tasks.get(change.id);
      if (task === undefined || !this.#taking) continue;
      this.#tasks.set(change.id, { ...task, Status: mergeStatus(task.Status, change.status) });
    }
    if (this.#taking) this.#assign();
  }

  #state(): string {
    const tasks = [...this.#tasks.values()].map((task) => `${task.ID} ${task.Status.State}`);
    const containers = this.#engine
      .containers()
      .map(({ task, phase, exitCode }) => `[${task} ${phase} ${exitCode}]`);
    const networks = this.#engine.networks().map((id) => `(${id})`);
    const files = this.#engine.filed().map((id) => `{${id}}`);
    return [...tasks, ...containers, ...networks, ...files].join("\n") || "nothing";
  }
}

function show(action: EngineAction): string {
  switch (action.kind) {
    case "ensureImage":
      return `pull ${action.image}`;
    case "ensureNetwork":
      return `network ${action.network.name}`;
    case "placeFiles":
      return `place files of ${action.task}: ${action.files.map(({ target }) => target).join(" ")}`;
    case "dropFiles":
      return `drop files of ${action.task}`;
    case "sweepFiles":
      return `sweep files but ${action.keep.join(" ") || "none"}`;
    case "pruneNetworks":
      return `prune networks but ${action.keep.join(" ") || "none"}`;
    default:
      return `${action.kind} ${action.task}`;
  }
}

test("Worker follows its scripts", () => {
  runScripts(new URL("../testdata/", import.meta.url), () => {
    const world = new World();
    return (command) => world.run(command);
  });
});
