/**
 * Worker: the life of every task on one node.
 *
 * Decides which engine action comes next for each task and what the cluster is told of it. Refuses to
 * decide what ought to run here (orchestrator and scheduler did) and how an action is carried out
 * (runtime does). Inputs only say "look again": a lost, doubled or late one costs time, nothing else.
 *
 * Drive it with step(). Perform `engine` effects in any order and at once, and answer each exactly
 * once with `acted`; propose each `report` and answer with `settled`. Ticks come at a fixed pace.
 * A new worker knows nothing; after the first `assigned` and `containers` it goes on where the old one
 * stopped, without touching what runs.
 */
import { messageOf, type NetworkId, type TaskId, unreachable } from "@gam/core";
import {
  compareStates,
  isLeaving,
  isTerminal,
  isWanted,
  mergeStatus,
  messageLengthMax,
  planNetwork,
  type TaskStatus,
} from "@gam/state";
import type { ActionId, ActionOutcome, ContainerState, EngineAction } from "./action.ts";
import { planContainer } from "./container-plan.ts";
import type { WorkerEffect } from "./effect.ts";
import { Flights, type NewAction } from "./flights.ts";
import type { Assignment, WorkerInput } from "./input.ts";
import { type Circumstances, type Life, type Need, needOf } from "./life.ts";
import { type WorkerLimits, workerLimitsDefault } from "./limits.ts";
import { Outbox } from "./outbox.ts";

/** Mistakes that tests plant, to see that they are found. */
export interface WorkerFaults {
  /** Says "running" when it asks for the start, not when the container has started. */
  readonly runningEarly?: boolean;
  /** Removes unknown containers before the state has caught up. */
  readonly straysEarly?: boolean;
  /** Believes an old list of containers more than what it learned since. */
  readonly listsTrusted?: boolean;
  /** Lets go of what ended without a leader. */
  readonly restartsForgotten?: boolean;
  /** Stops what leaves while others may still send it connections. */
  readonly hurried?: boolean;
  /** Does not send again what was lost. */
  readonly resendForgotten?: boolean;
}

export class Worker {
  readonly #limits: WorkerLimits;
  readonly #faults: WorkerFaults;
  readonly #outbox: Outbox;
  readonly #lives = new Map<TaskId, Life>();
  /** To be looked at, first come, first served. */
  readonly #dirty = new Set<TaskId>();
  /** To be looked at again from that tick on. */
  readonly #waiting = new Map<TaskId, number>();
  readonly #flights: Flights;
  /** Those that the engine has, and the gateway they were made with. */
  readonly #networks = new Map<NetworkId, string>();
  #pruneDue = true;
  #pruneTick = 0;
  #pruning = false;
  #assignment: Assignment | undefined;
  #steeredIndex = 0;
  #ready = false;
  /** The engine answers, and all of its containers are known. */
  #synced = false;
  #led = false;
  #unledTick = 0;
  #nowTick = 0;
  #nowMs = 0;

  constructor(limits: WorkerLimits = workerLimitsDefault, faults: WorkerFaults = {}) {
    this.#limits = limits;
    this.#faults = faults;
    this.#flights = new Flights(limits);
    this.#outbox = new Outbox(limits, faults.resendForgotten === true);
  }

  /** The state shows what has become of every task here, as far as the engine knows. */
  get hasAccounted(): boolean {
    if (!this.#synced || this.#assignment?.caughtUp !== true) return false;
    return this.#outbox.isEmpty(this.#lives.values());
  }

  step(input: WorkerInput): WorkerEffect[] {
    this.#take(input);
    const effects: WorkerEffect[] = [];
    if (this.#synced && this.#assignment !== undefined) this.#work(this.#assignment, effects);
    if (this.#led) {
      const changes = this.#outbox.next(this.#lives.values(), this.#nowTick);
      if (changes.length > 0) effects.push({ kind: "report", changes });
    }
    return effects;
  }

  #take(input: WorkerInput): void {
    switch (input.kind) {
      case "tick":
        return this.#tick(input.nowMs);
      case "assigned":
        return this.#assign(input);
      case "engine":
        // What the engine has is known anew from its next list.
        this.#ready = input.ready;
        this.#synced = false;
        this.#networks.clear();
        return;
      case "containers":
        return this.#list(input.containers);
      case "container":
        return this.#observe(input.container);
      case "acted":
        return this.#acted(input.id, input.outcome);
      case "led":
        return this.#lead(input.led);
      case "steered":
        return this.#steer(input.index);
      case "settled":
        return this.#outbox.settled(input.committed, (id) => this.#lives.get(id), this.#nowTick);
      default:
        unreachable(input);
    }
  }

  #tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#nowTick += 1;
    if (!this.#led && this.#nowTick === this.#unledTick + this.#limits.leaderlessTicks) {
      this.#takeBack();
    }
    for (const [id, untilTick] of this.#waiting) {
      if (untilTick > this.#nowTick) continue;
      this.#waiting.delete(id);
      this.#dirty.add(id);
    }
  }

  #assign(next: Assignment): void {
    const before = this.#assignment;
    this.#assignment = next;
    if (before?.networks !== next.networks) {
      const kept = new Set(networksOf(next));
      if (before !== undefined && networksOf(before).some((id) => !kept.has(id))) {
        this.#pruneDue = true;
      }
      // Gateways may have come or moved.
      for (const life of this.#lives.values()) {
        if (life.container !== undefined || life.task?.Gam.attachments.length === 0) continue;
        life.plan = undefined;
        this.#dirty.add(life.id);
      }
    }
    if (before?.caughtUp !== next.caughtUp) this.#all();
    const seen = new Set<TaskId>();
    for (const task of next.tasks) {
      seen.add(task.ID);
      const life = this.#life(task.ID);
      if (life.task === task) continue;
      if (!isWanted(task) && (life.task === undefined || isWanted(life.task))) {
        life.unwantedTick = this.#nowTick;
        life.unwantedIndex = next.index;
      }
      life.task = task;
      // Until it is accepted here, what there is to say of it is for others to say.
      const own =
        compareStates(life.status?.State ?? "new", "accepted") < 0 ? undefined : life.status;
      life.status = own === undefined ? task.Status : mergeStatus(task.Status, own);
      this.#dirty.add(task.ID);
    }
    for (const life of this.#lives.values()) {
      if (life.task === undefined || seen.has(life.id)) continue;
      life.task = undefined;
      life.status = undefined;
      this.#dirty.add(life.id);
    }
  }

  #list(containers: readonly ContainerState[]): void {
    if (!this.#ready) return;
    this.#synced = true;
    const listed = new Set<TaskId>();
    for (const container of containers) {
      listed.add(container.task);
      const known = this.#lives.get(container.task)?.container;
      if (known === undefined || this.#faults.listsTrusted) this.#observe(container);
      else if (!isSame(known, container)) this.#doubt(container.task);
    }
    for (const life of this.#lives.values()) {
      if (listed.has(life.id) || life.container === undefined) continue;
      // The list may be older than the container.
      if (this.#faults.listsTrusted) life.container = undefined;
      else this.#doubt(life.id);
    }
    this.#all();
  }

  #doubt(id: TaskId): void {
    const life = this.#life(id);
    // Its answer will say where the container is.
    if (life.busy === undefined) life.doubted = true;
  }

  #observe(container: ContainerState): void {
    const life = this.#life(container.task);
    this.#dirty.add(life.id);
    if (container.phase === "gone") {
      if (life.container?.id === container.id) life.container = undefined;
      return;
    }
    const before = life.container?.phase;
    life.container = container;
    if (container.phase === "exited" && before !== "exited") life.endedTick = this.#nowTick;
  }

  #steer(index: number): void {
    if (index === this.#steeredIndex) return;
    this.#steeredIndex = index;
    for (const { id, task } of this.#lives.values()) {
      if (task !== undefined && isLeaving(task)) this.#dirty.add(id);
    }
  }

  #lead(led: boolean): void {
    if (led === this.#led) return;
    this.#led = led;
    if (!led) this.#unledTick = this.#nowTick;
    // A new leader may never have heard what the old one was told.
    for (const life of this.#lives.values()) life.resendTick = 0;
    this.#all();
  }

  /**
   * Without a leader, an end of which the state knows nothing has not happened: the container may be
   * started again. Should the state learn of it after all, it is stopped then.
   */
  #takeBack(): void {
    for (const life of this.#lives.values()) {
      const { task, status } = life;
      if (task === undefined || status === undefined) continue;
      if (isTerminal(status.State) && !isTerminal(task.Status.State)) life.status = task.Status;
    }
    this.#all();
  }

  #all(): void {
    for (const id of this.#lives.keys()) this.#dirty.add(id);
  }

  #life(id: TaskId): Life {
    const known = this.#lives.get(id);
    if (known !== undefined) return known;
    const life: Life = {
      id,
      task: undefined,
      container: undefined,
      status: undefined,
      plan: undefined,
      busy: undefined,
      waitTick: 0,
      image: "assumed",
      doubted: false,
      endedTick: undefined,
      unwantedTick: 0,
      unwantedIndex: 0,
      restartTicks: [],
      sent: undefined,
      resendTick: 0,
      quietTick: this.#nowTick,
    };
    this.#lives.set(id, life);
    return life;
  }

  #work(assignment: Assignment, effects: WorkerEffect[]): void {
    const now: Circumstances = {
      caughtUp: assignment.caughtUp || this.#faults.straysEarly === true,
      led: this.#led || this.#faults.restartsForgotten === true,
      leaderless: !this.#led && this.#nowTick - this.#unledTick >= this.#limits.leaderlessTicks,
      nowTick: this.#nowTick,
      tickMs: this.#limits.tickMs,
      drainTicks: this.#limits.drainTicks,
      drainTicksMax: this.#limits.drainTicksMax,
      steeredIndex: this.#faults.hurried ? Number.POSITIVE_INFINITY : this.#steeredIndex,
    };
    if (now.caughtUp) this.#pruneNetworks(assignment, effects);
    // What has a container is finished first: half of the tasks running is worth more than all made.
    for (const made of [true, false]) {
      for (const id of this.#dirty) {
        const life = this.#lives.get(id);
        if (life !== undefined && (life.container !== undefined) !== made) continue;
        // One that is busy is looked at again when its action is answered.
        const busy = life?.busy !== undefined;
        if (life === undefined || busy || this.#advanceAtAll(life, now, effects)) {
          this.#dirty.delete(id);
        }
      }
    }
  }

  /** As #advance(). A task over which this peer stumbles does not run, and stops nothing else. */
  #advanceAtAll(life: Life, now: Circumstances, effects: WorkerEffect[]): boolean {
    try {
      return this.#advance(life, now, effects);
    } catch (thrown) {
      // Catches all: a task in the state must not end the agent of its node again after each start.
      if (wants(life)) this.#reject(life, `task cannot be run: ${messageOf(thrown)}`);
      return this.#wait(life, now.nowTick + this.#limits.retryTicks);
    }
  }

  /** Does what can be done now. False when it waits for a free lane. */
  #advance(life: Life, now: Circumstances, effects: WorkerEffect[]): boolean {
    for (;;) {
      if (life.waitTick > now.nowTick) return this.#wait(life, life.waitTick);
      const need = needOf(life, now);
      switch (need.kind) {
        case "nothing":
          return true;
        case "wait":
          return this.#wait(life, need.untilTick);
        case "forget":
          this.#lives.delete(life.id);
          return true;
        case "become":
          this.#become(life, need);
          break;
        case "prepare": {
          const done = this.#prepare(life, effects);
          if (done !== undefined) return done;
          break;
        }
        case "start":
          return this.#start(life, effects);
        case "stop":
        case "remove":
        case "inspect": {
          const container = life.container?.id ?? "";
          return this.#act(life, { kind: need.kind, task: life.id, container }, effects);
        }
        default:
          unreachable(need);
      }
    }
  }

  #wait(life: Life, untilTick: number): true {
    this.#waiting.set(life.id, untilTick);
    return true;
  }

  /** The only place where a task's state changes, and it only grows. */
  #become(life: Life, { state, message, err }: Extract<Need, { kind: "become" }>): void {
    const { container, status } = life;
    const begun = container?.phase === "running" || container?.phase === "exited";
    const next: TaskStatus = {
      Timestamp: new Date(this.#nowMs).toISOString(),
      State: state,
      Message: message.slice(0, messageLengthMax),
      ...(err !== undefined && { Err: err.slice(0, messageLengthMax) }),
      ...(begun
        ? {
            ContainerStatus: {
              ContainerID: container.id,
              PID: container.pid,
              ExitCode: container.exitCode,
            },
          }
        : status?.ContainerStatus && { ContainerStatus: status.ContainerStatus }),
      ...(container !== undefined &&
        container.ports.length > 0 && { PortStatus: { Ports: container.ports } }),
    };
    life.status = status === undefined ? next : mergeStatus(status, next);
    life.quietTick = this.#nowTick;
  }

  /** What a container needs before it can be made, then the container. `undefined`: look again. */
  #prepare(life: Life, effects: WorkerEffect[]): boolean | undefined {
    const { task } = life;
    const around = this.#assignment;
    if (task === undefined || around === undefined) return true;
    if (life.plan === undefined) {
      const { cluster, self: node, networks } = around;
      const planned = planContainer(task, { cluster, node, networks });
      if ("error" in planned) return this.#reject(life, planned.error);
      // The leader gives this node its part of the network, and then it is looked at again.
      if ("awaits" in planned) return true;
      life.plan = planned.plan;
    }
    const { plan } = life;
    if (life.status?.State === "accepted") {
      this.#become(life, { kind: "become", state: "preparing", message: "preparing" });
    }
    if (life.image === "lacking") {
      const { registryAuth } = task.Gam;
      // One pull serves all who wait for it, and keeps none of them from being shut down meanwhile.
      if (this.#flights.pulling(plan.image, registryAuth)) return true;
      return this.#act(
        undefined,
        { kind: "ensureImage", image: plan.image, registryAuth },
        effects,
      );
    }
    const gatewayOf = (id: NetworkId): string => {
      return around.networks.find(({ Id }) => Id === id)?.Gam.gateways[around.self.ID] ?? "";
    };
    const missing = plan.joins.find(
      ({ network }) => this.#networks.get(network) !== gatewayOf(network),
    );
    if (missing === undefined) {
      return this.#act(life, { kind: "create", task: life.id, plan }, effects);
    }
    const network = around.networks.find(({ Id }) => Id === missing.network);
    if (network === undefined) return this.#reject(life, `network ${missing.network} not found`);
    // A prune that began before the network was known here would take it away again.
    if (this.#pruning || this.#flights.ensuring(network.Id)) return false;
    const planned = planNetwork(network, around.self, around.cluster);
    if (planned === undefined) return true;
    return this.#act(life, { kind: "ensureNetwork", network: planned }, effects);
  }

  #reject(life: Life, err: string): undefined {
    this.#become(life, { kind: "become", state: "rejected", message: "preparing", err });
  }

  #start(life: Life, effects: WorkerEffect[]): boolean {
    const again = life.container?.phase === "exited";
    const container = life.container?.id ?? "";
    if (!this.#act(life, { kind: "start", task: life.id, container }, effects)) return false;
    if (again) life.restartTicks = [...life.restartTicks, this.#nowTick].slice(-restartsKept);
    const early = this.#faults.runningEarly === true;
    const state = early ? "running" : "starting";
    this.#become(life, { kind: "become", state, message: early ? "started" : "starting" });
    return true;
  }

  #act(life: Life | undefined, action: NewAction, effects: WorkerEffect[]): boolean {
    const numbered = this.#flights.begin(action);
    if (numbered === undefined) return false;
    if (life !== undefined) life.busy = numbered.id;
    effects.push({ kind: "engine", action: numbered });
    return true;
  }

  #acted(id: ActionId, outcome: ActionOutcome): void {
    const action = this.#flights.end(id);
    if (action === undefined) return;
    if (action.kind === "ensureNetwork" && outcome.ok) {
      this.#networks.set(action.network.network, action.network.gateway);
    }
    if (action.kind === "pruneNetworks") {
      this.#pruning = false;
      if (!outcome.ok) this.#pruneDue = true;
      this.#pruneTick = this.#nowTick + this.#limits.retryTicks;
      return;
    }
    for (const life of this.#lives.values()) {
      const served =
        action.kind === "ensureImage" &&
        life.image === "lacking" &&
        life.plan?.image === action.image &&
        life.task?.Gam.registryAuth === action.registryAuth;
      if (life.busy !== id && !served) continue;
      if (life.busy === id) life.busy = undefined;
      this.#dirty.add(life.id);
      this.#learn(life, action, outcome);
    }
  }

  #learn(life: Life, action: EngineAction, outcome: ActionOutcome): void {
    if (outcome.ok || outcome.failure !== "engine") life.doubted = false;
    if (outcome.ok) {
      if (action.kind === "ensureImage") life.image = "fetched";
      if (action.kind === "remove") life.container = undefined;
      // One that ended at once ended again, also when nobody saw it run.
      if (action.kind === "start") life.endedTick = this.#nowTick;
      if (outcome.container !== undefined) this.#observe(outcome.container);
      return;
    }
    switch (outcome.failure) {
      case "gone":
        life.container = undefined;
        return;
      case "network":
        this.#networks.clear();
        // A container that was made for a network is of no use without it.
        if (action.kind === "start") return this.#refused(life, action, outcome.message);
        life.waitTick = this.#nowTick + this.#limits.retryTicks;
        return;
      case "image":
        if (action.kind === "ensureImage") {
          if (wants(life)) this.#reject(life, outcome.message);
          return;
        }
        // An image that is gone as soon as it is fetched must not be fetched in a tight loop.
        if (life.image === "fetched") life.waitTick = this.#nowTick + this.#limits.retryTicks;
        life.image = "lacking";
        return;
      case "refused":
        return this.#refused(life, action, outcome.message);
      case "engine":
        life.waitTick = this.#nowTick + this.#limits.retryTicks;
        return;
      default:
        unreachable(outcome.failure);
    }
  }

  #refused(life: Life, action: EngineAction, message: string): void {
    switch (action.kind) {
      case "start":
        if (!wants(life)) return;
        this.#become(life, {
          kind: "become",
          state: "failed",
          message: "starting",
          err: `starting container failed: ${message}`,
        });
        return;
      case "create":
      case "ensureImage":
      case "ensureNetwork":
        if (wants(life)) this.#reject(life, message);
        return;
      default:
        // Nothing else can be done with a container that does not stop or go.
        life.waitTick = this.#nowTick + this.#limits.retryTicks;
    }
  }

  #pruneNetworks(assignment: Assignment, effects: WorkerEffect[]): void {
    if (!this.#pruneDue || this.#pruning || this.#nowTick < this.#pruneTick) return;
    const keep = networksOf(assignment);
    if (!this.#act(undefined, { kind: "pruneNetworks", keep }, effects)) return;
    this.#pruneDue = false;
    this.#pruning = true;
  }
}

/** Networks that this node has a part of. */
function networksOf({ networks, self }: Assignment): NetworkId[] {
  return networks.flatMap(({ Id, Gam }) => (Gam.gateways[self.ID] === undefined ? [] : [Id]));
}

/** Restarts in place that are remembered for each task: more than any sensible policy counts. */
const restartsKept = 100;

function isSame(known: ContainerState, listed: ContainerState): boolean {
  const { id, phase, health } = listed;
  return known.id === id && known.phase === phase && known.health === health;
}

/** A refusal ends a task that is wanted. One that is not ends as shut down. */
function wants(life: Life): boolean {
  return life.task !== undefined && isWanted(life.task);
}
