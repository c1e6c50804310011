/**
 * Worker: runs the tasks of one node.
 *
 * Decides the next engine action for each task, and what to report to the cluster. Does not decide what should run
 * here (the orchestrator and the scheduler do) or how to carry out an action (the runtime does). Every input only
 * starts a new check, so a lost, repeated or late input costs time and nothing else.
 *
 * Drive it with step(). Perform `engine` effects in any order and in parallel, and answer each exactly once with
 * `acted`; propose each `report` and answer with `settled`. Send ticks at a fixed pace.
 * A new worker knows nothing. After the first `assigned` and `containers` it continues where the old one stopped,
 * without touching running containers.
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
  type Task,
  type TaskStatus,
} from "@gam/state";
import type {
  ActionId,
  ActionOutcome,
  ContainerState,
  EngineAction,
  PullCredentials,
} from "./action.ts";
import { inNetworkOf, planContainer } from "./container-plan.ts";
import type { WorkerEffect } from "./effect.ts";
import { Flights, type NewAction } from "./flights.ts";
import type { Assignment, WorkerInput } from "./input.ts";
import { type WorkerLimits, workerLimitsDefault } from "./limits.ts";
import { type Circumstances, type LocalTask, type NextStep, nextStepOf } from "./local-task.ts";
import { alone, createdMain, Pods } from "./pod.ts";
import { StatusReports } from "./status-reports.ts";
import { filesOf } from "./task-files.ts";

/** Faults that tests plant, to check that they are found. */
export interface WorkerFaults {
  /** Reports "running" when it requests the start, not when the container has started. */
  readonly runningEarly?: boolean;
  /** Removes unknown containers before the state has caught up. */
  readonly straysEarly?: boolean;
  /** Trusts an old list of containers more than newer reports. */
  readonly listsTrusted?: boolean;
  /** Does not restart a container that ended without a leader. */
  readonly restartsForgotten?: boolean;
  /** Stops a leaving task while other nodes may still send it connections. */
  readonly hurried?: boolean;
  /** Stops a leaving task although it may keep its open connections. */
  readonly drainForgotten?: boolean;
  /** Trusts that the files of a container that an earlier worker created are in place. */
  readonly filesForgotten?: boolean;
  /** Starts again, after a start of the host, what only the leader may start. */
  readonly orderForgotten?: boolean;
  /** Does not look at the other tasks of a pod when one of them is to stop, or has ended. */
  readonly podsForgotten?: boolean;
  /** Does not send a lost report again. */
  readonly resendForgotten?: boolean;
}

export class Worker {
  readonly #limits: WorkerLimits;
  readonly #faults: WorkerFaults;
  readonly #reports: StatusReports;
  readonly #lives = new Map<TaskId, LocalTask>();
  /** Tasks to check, in the order of their arrival. */
  readonly #dirty = new Set<TaskId>();
  /** Tasks to check again from that tick on. */
  readonly #waiting = new Map<TaskId, number>();
  readonly #pods = new Pods();
  readonly #flights: Flights;
  /** Networks that the engine has, and the gateway that each was created with. */
  readonly #networks = new Map<NetworkId, string>();
  #pruneDue = true;
  #pruneTick = 0;
  #pruning = false;
  /** The first worker after a crash deletes the files that the one before left. */
  #sweepDue = true;
  #sweepTick = 0;
  #sweeping = false;
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
    this.#reports = new StatusReports(limits, faults.resendForgotten === true);
  }

  /** Whether the state shows the outcome of every task here, as far as the engine knows it. */
  get hasAccounted(): boolean {
    if (!this.#synced || this.#assignment?.caughtUp !== true) return false;
    return this.#reports.isEmpty(this.#lives.values());
  }

  step(input: WorkerInput): WorkerEffect[] {
    this.#take(input);
    const effects: WorkerEffect[] = [];
    if (this.#synced && this.#assignment !== undefined) this.#work(this.#assignment, effects);
    if (this.#led) {
      const changes = this.#reports.next(this.#lives.values(), this.#nowTick);
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
        // The engine's next list says what it has.
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
        return this.#reports.settled(input.committed, (id) => this.#lives.get(id), this.#nowTick);
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
      // Gateways may be new or changed.
      for (const local of this.#lives.values()) {
        if (local.container !== undefined || local.task?.Gam.attachments.length === 0) continue;
        local.plan = undefined;
        this.#dirty.add(local.id);
      }
    }
    if (before?.caughtUp !== next.caughtUp) this.#all();
    this.#pods.assign(next.tasks);
    const isFirst = next.caughtUp && before?.caughtUp !== true;
    const seen = new Set<TaskId>();
    for (const task of next.tasks) {
      seen.add(task.ID);
      const local = this.#life(task.ID);
      if (isFirst) {
        const isIdle = local.container?.phase !== "running";
        local.isOld = isIdle && task.DesiredState !== "ready" && !this.#faults.orderForgotten;
      }
      if (before?.drainsMs.get(task.ID) !== next.drainsMs.get(task.ID)) this.#dirty.add(task.ID);
      if (local.task === task) continue;
      if (!isWanted(task) && (local.task === undefined || isWanted(local.task))) {
        local.unwantedTick = this.#nowTick;
        local.waitTick = 0;
        local.unwantedIndex = next.index;
      }
      const isAdopted = local.task === undefined && !isTerminal(task.Status.State);
      if (isAdopted && filesOf(task).files.length > 0) local.files = "unknown";
      local.task = task;
      // Until this node accepts the task, only the leader reports its status.
      const own =
        compareStates(local.status?.State ?? "new", "accepted") < 0 ? undefined : local.status;
      local.status = own === undefined ? task.Status : mergeStatus(task.Status, own);
      this.#dirty.add(task.ID);
    }
    for (const local of this.#lives.values()) {
      if (local.task === undefined || seen.has(local.id)) continue;
      local.task = undefined;
      local.status = undefined;
      this.#dirty.add(local.id);
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
    for (const local of this.#lives.values()) {
      if (listed.has(local.id) || local.container === undefined) continue;
      // The list may be older than the container.
      if (this.#faults.listsTrusted) local.container = undefined;
      else this.#doubt(local.id);
    }
    this.#all();
  }

  #doubt(id: TaskId): void {
    const local = this.#life(id);
    // The answer to the running action will show the container's state.
    if (local.busy === undefined) local.doubted = true;
  }

  #observe(container: ContainerState): void {
    const local = this.#life(container.task);
    this.#dirty.add(local.id);
    if (container.phase === "gone") {
      if (local.container?.id === container.id) local.container = undefined;
      return;
    }
    const before = local.container?.phase;
    local.container = container;
    if (container.phase === "running") local.isOld = false;
    if (container.phase === "exited" && before !== "exited") local.endedTick = this.#nowTick;
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
    // A new leader may not have the reports that the old one got.
    for (const local of this.#lives.values()) local.resendTick = 0;
    this.#all();
  }

  /**
   * Without a leader, drops ends that the state does not show, so that the container may be restarted. If the
   * state shows the end later after all, the container is stopped then.
   */
  #takeBack(): void {
    for (const local of this.#lives.values()) {
      const { task, status } = local;
      if (task === undefined || status === undefined) continue;
      if (isTerminal(status.State) && !isTerminal(task.Status.State)) local.status = task.Status;
    }
    this.#all();
  }

  #all(): void {
    for (const id of this.#lives.keys()) this.#dirty.add(id);
  }

  #life(id: TaskId): LocalTask {
    const known = this.#lives.get(id);
    if (known !== undefined) return known;
    const local: LocalTask = {
      id,
      task: undefined,
      container: undefined,
      status: undefined,
      plan: undefined,
      files: "none",
      unanswered: 0,
      busy: undefined,
      waitTick: 0,
      image: "assumed",
      doubted: false,
      endedTick: undefined,
      unwantedTick: 0,
      unwantedIndex: 0,
      counted: undefined,
      isOld: this.#assignment?.caughtUp !== true && !this.#faults.orderForgotten,
      restartTicks: [],
      sent: undefined,
      resendTick: 0,
      quietTick: this.#nowTick,
    };
    this.#lives.set(id, local);
    return local;
  }

  #work(assignment: Assignment, effects: WorkerEffect[]): void {
    // What is new of one task of a pod concerns the others.
    for (const id of this.#pods.matesOf(this.#dirty)) this.#dirty.add(id);
    const now: Circumstances = {
      caughtUp: assignment.caughtUp || this.#faults.straysEarly === true,
      led: this.#led || this.#faults.restartsForgotten === true,
      leaderless: !this.#led && this.#nowTick - this.#unledTick >= this.#limits.leaderlessTicks,
      nowTick: this.#nowTick,
      tickMs: this.#limits.tickMs,
      drainTicks: this.#limits.drainTicks,
      drainTicksMax: this.#limits.drainTicksMax,
      countTicksMin: this.#limits.countTicksMin,
      countTicksMax: this.#limits.countTicksMax,
      dawdleTicks: this.#limits.dawdleTicks,
      drainsMs: this.#faults.drainForgotten ? new Map() : assignment.drainsMs,
      steeredIndex: this.#faults.hurried ? Number.POSITIVE_INFINITY : this.#steeredIndex,
    };
    if (now.caughtUp) {
      this.#pruneNetworks(assignment, effects);
      this.#sweepFiles(effects);
    }
    // Tasks with a container come first: half of the tasks running is worth more than all containers created.
    for (const made of [true, false]) {
      for (const id of this.#dirty) {
        const local = this.#lives.get(id);
        if (local !== undefined && (local.container !== undefined) !== made) continue;
        // A busy task is checked again when its action is answered.
        const busy = local?.busy !== undefined;
        if (local === undefined || busy || this.#advanceAtAll(local, now, effects)) {
          this.#dirty.delete(id);
        }
      }
    }
  }

  /** Like #advance(), but a task that makes it throw is rejected and does not stop the others. */
  #advanceAtAll(local: LocalTask, now: Circumstances, effects: WorkerEffect[]): boolean {
    try {
      return this.#advance(local, now, effects);
    } catch (thrown) {
      // Catches all: a bad task in the state would otherwise end the agent at every start.
      if (wants(local)) this.#reject(local, `task cannot be run: ${messageOf(thrown)}`);
      return this.#wait(local, now.nowTick + this.#limits.retryTicks);
    }
  }

  /** Takes all steps that are possible now. Returns: false when the task waits for a free lane. */
  #advance(local: LocalTask, now: Circumstances, effects: WorkerEffect[]): boolean {
    for (;;) {
      if (local.waitTick > now.nowTick) return this.#wait(local, local.waitTick);
      const isRunning = local.container?.phase === "running";
      const pod =
        this.#faults.podsForgotten && isRunning ? alone : this.#pods.of(local, this.#lives);
      const step = nextStepOf(local, now, pod);
      switch (step.kind) {
        case "nothing":
          return true;
        case "wait":
          return this.#wait(local, step.untilTick);
        case "forget":
          this.#lives.delete(local.id);
          return true;
        case "become":
          this.#become(local, step);
          break;
        case "prepare": {
          const done = this.#prepare(local, effects);
          if (done !== undefined) return done;
          break;
        }
        case "start":
          return this.#place(local, effects) ?? this.#start(local, effects);
        case "dropFiles":
          return this.#act(local, { kind: "dropFiles", task: local.id }, effects);
        case "count":
          return this.#count(local, effects);
        case "stop":
        case "remove":
        case "inspect": {
          const container = local.container?.id ?? "";
          return this.#act(local, { kind: step.kind, task: local.id, container }, effects);
        }
        default:
          unreachable(step);
      }
    }
  }

  #wait(local: LocalTask, untilTick: number): true {
    this.#waiting.set(local.id, untilTick);
    return true;
  }

  /** The only place where a task's state changes. It only moves forward. */
  #become(local: LocalTask, { state, message, err }: Extract<NextStep, { kind: "become" }>): void {
    const { container, status } = local;
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
    local.status = status === undefined ? next : mergeStatus(status, next);
    local.quietTick = this.#nowTick;
  }

  /** Gets what the container needs, then creates it. Returns: `undefined` to check again, else as #advance(). */
  #prepare(local: LocalTask, effects: WorkerEffect[]): boolean | undefined {
    const { task } = local;
    const around = this.#assignment;
    if (task === undefined || around === undefined) return true;
    if (local.plan === undefined) {
      const { cluster, self: node, networks, logDriver } = around;
      const planned = planContainer(task, { cluster, node, networks, logDriver });
      if ("error" in planned) return this.#reject(local, planned.error);
      // The task waits until the leader gives this node its part of the network.
      if ("awaits" in planned) return true;
      local.plan = planned.plan;
    }
    const { plan } = local;
    if (local.status?.State === "accepted") {
      this.#become(local, { kind: "become", state: "preparing", message: "preparing" });
    }
    if (local.image === "lacking") {
      const { image } = plan;
      const credentials = credentialsOf(task);
      // One pull serves all tasks that wait for it, and none is busy with it, so each can be shut down meanwhile.
      if (this.#flights.pulling(image, credentials?.service)) return true;
      return this.#act(
        undefined,
        { kind: "ensureImage", image, ...(credentials && { credentials }) },
        effects,
      );
    }
    const host = plan.isGuest === true ? createdMain(this.#pods.of(local, this.#lives)) : undefined;
    if (plan.isGuest === true && host === undefined) {
      // The image can be fetched meanwhile.
      if (local.image !== "assumed") return true;
      local.image = "lacking";
      return undefined;
    }
    const gatewayOf = (id: NetworkId): string => {
      return around.networks.find(({ Id }) => Id === id)?.Gam.gateways[around.self.ID] ?? "";
    };
    const missing = plan.joins.find(
      ({ network }) => this.#networks.get(network) !== gatewayOf(network),
    );
    if (missing === undefined) {
      const placing = this.#place(local, effects);
      const placed = host === undefined ? plan : inNetworkOf(plan, host);
      return placing ?? this.#act(local, { kind: "create", task: local.id, plan: placed }, effects);
    }
    const network = around.networks.find(({ Id }) => Id === missing.network);
    if (network === undefined) return this.#reject(local, `network ${missing.network} not found`);
    // A running prune began before this network was known here, and would remove it again.
    if (this.#pruning || this.#flights.ensuring(network.Id)) return false;
    const planned = planNetwork(network, around.self, around.cluster);
    if (planned === undefined) return true;
    return this.#act(local, { kind: "ensureNetwork", network: planned }, effects);
  }

  /** Returns: `undefined` where the task's files are in place, else as #advance(). */
  #place(local: LocalTask, effects: WorkerEffect[]): boolean | undefined {
    if (local.task === undefined || local.files === "placed") return undefined;
    const { files } = filesOf(local.task);
    if (files.length === 0) return undefined;
    if (this.#faults.filesForgotten === true && local.container !== undefined) return undefined;
    // A sweep began before these files were due, and would delete them again. The first one comes before all files.
    if (this.#sweeping || (this.#sweepDue && this.#sweepTick === 0)) return false;
    local.files = "unknown";
    return this.#act(local, { kind: "placeFiles", task: local.id, files }, effects);
  }

  #reject(local: LocalTask, err: string): undefined {
    this.#become(local, { kind: "become", state: "rejected", message: "preparing", err });
  }

  #start(local: LocalTask, effects: WorkerEffect[]): boolean {
    const again = local.container?.phase === "exited";
    const container = local.container?.id ?? "";
    if (!this.#act(local, { kind: "start", task: local.id, container }, effects)) return false;
    if (again) local.restartTicks = [...local.restartTicks, this.#nowTick].slice(-restartsKept);
    const early = this.#faults.runningEarly === true;
    const state = early ? "running" : "starting";
    this.#become(local, { kind: "become", state, message: early ? "started" : "starting" });
    return true;
  }

  #count(local: LocalTask, effects: WorkerEffect[]): boolean {
    const addresses = local.task?.Gam.attachments.map(({ address }) => address) ?? [];
    const pid = local.container?.pid ?? 0;
    return this.#act(local, { kind: "count", task: local.id, pid, addresses }, effects);
  }

  #act(local: LocalTask | undefined, action: NewAction, effects: WorkerEffect[]): boolean {
    const numbered = this.#flights.begin(action);
    if (numbered === undefined) return false;
    if (local !== undefined) local.busy = numbered.id;
    effects.push({ kind: "engine", action: numbered });
    return true;
  }

  #acted(id: ActionId, outcome: ActionOutcome): void {
    const action = this.#flights.end(id);
    if (action === undefined) return;
    if (action.kind === "ensureNetwork" && outcome.ok) {
      this.#networks.set(action.network.network, action.network.gateway);
    }
    if (action.kind === "sweepFiles") {
      this.#sweeping = false;
      this.#sweepDue = !outcome.ok;
      this.#sweepTick = this.#nowTick + this.#limits.retryTicks;
      this.#all();
      return;
    }
    if (action.kind === "pruneNetworks") {
      this.#pruning = false;
      if (!outcome.ok) this.#pruneDue = true;
      this.#pruneTick = this.#nowTick + this.#limits.retryTicks;
      return;
    }
    for (const local of this.#lives.values()) {
      const served =
        action.kind === "ensureImage" &&
        local.image === "lacking" &&
        local.plan?.image === action.image &&
        local.task !== undefined &&
        credentialsOf(local.task)?.service === action.credentials?.service;
      if (local.busy !== id && !served) continue;
      if (local.busy === id) local.busy = undefined;
      this.#dirty.add(local.id);
      this.#learn(local, action, outcome);
    }
  }

  #learn(local: LocalTask, action: EngineAction, outcome: ActionOutcome): void {
    if (outcome.ok || outcome.failure !== "engine") local.doubted = false;
    if (outcome.ok) {
      if (action.kind === "ensureImage") local.image = "fetched";
      if (action.kind === "placeFiles") local.files = "placed";
      if (action.kind === "placeFiles" || action.kind === "ensureImage") local.unanswered = 0;
      if (action.kind === "dropFiles") local.files = "none";
      if (action.kind === "count") {
        local.counted = { connections: outcome.connections ?? 0, atTick: this.#nowTick };
      }
      if (action.kind === "remove") local.container = undefined;
      // A container that ended at once has ended again, although no report showed it running.
      if (action.kind === "start") local.endedTick = this.#nowTick;
      if (outcome.container !== undefined) this.#observe(outcome.container);
      return;
    }
    switch (outcome.failure) {
      case "gone":
        local.container = undefined;
        return;
      case "network":
        this.#networks.clear();
        // A container that was created for a network cannot run without it.
        if (action.kind === "start") return this.#refused(local, action, outcome.message);
        local.waitTick = this.#nowTick + this.#limits.retryTicks;
        return;
      case "image":
        if (action.kind === "ensureImage") {
          if (wants(local)) this.#reject(local, outcome.message);
          return;
        }
        // An image that disappears right after the pull must not be pulled in a tight loop.
        if (local.image === "fetched") local.waitTick = this.#nowTick + this.#limits.retryTicks;
        local.image = "lacking";
        return;
      case "refused":
        return this.#refused(local, action, outcome.message);
      case "contents":
        return this.#unanswered(local, outcome.message);
      case "engine":
        local.waitTick = this.#nowTick + this.#limits.retryTicks;
        return;
      default:
        unreachable(outcome.failure);
    }
  }

  /** Asks again later. Until then the task says why it waits. */
  #unanswered(local: LocalTask, err: string): void {
    const { retryTicks, askTicksMax } = this.#limits;
    local.waitTick = this.#nowTick + Math.min(askTicksMax, retryTicks * 2 ** local.unanswered);
    local.unanswered += 1;
    const { status } = local;
    if (status === undefined || !wants(local)) return;
    if (compareStates(status.State, "running") >= 0) return;
    const { State: state, Message: message = "preparing" } = status;
    this.#become(local, { kind: "become", state, message, err });
  }

  #refused(local: LocalTask, action: EngineAction, message: string): void {
    switch (action.kind) {
      case "start":
        if (!wants(local)) return;
        this.#become(local, {
          kind: "become",
          state: "failed",
          message: "starting",
          err: `starting container failed: ${message}`,
        });
        return;
      case "create":
      case "placeFiles":
      case "ensureImage":
      case "ensureNetwork":
        if (wants(local)) this.#reject(local, message);
        return;
      default:
        // When the engine refuses to stop or remove a container, only a retry is left.
        local.waitTick = this.#nowTick + this.#limits.retryTicks;
    }
  }

  #sweepFiles(effects: WorkerEffect[]): void {
    if (!this.#sweepDue || this.#sweeping || this.#nowTick < this.#sweepTick) return;
    if (this.#flights.isPlacing) return;
    const keep = [...this.#lives.values()].filter(holdsFiles).map(({ id }) => id);
    if (this.#act(undefined, { kind: "sweepFiles", keep }, effects)) this.#sweeping = true;
  }

  #pruneNetworks(assignment: Assignment, effects: WorkerEffect[]): void {
    if (!this.#pruneDue || this.#pruning || this.#nowTick < this.#pruneTick) return;
    const keep = networksOf(assignment);
    if (!this.#act(undefined, { kind: "pruneNetworks", keep }, effects)) return;
    this.#pruneDue = false;
    this.#pruning = true;
  }
}

/** Whose registry credentials a pull for this task needs. */
function credentialsOf({ ID: task, ServiceID: service, Gam }: Task): PullCredentials | undefined {
  return Gam.credentials ? { service, task } : undefined;
}

/** Networks in which this node has a gateway. */
function networksOf({ networks, self }: Assignment): NetworkId[] {
  return networks.flatMap(({ Id, Gam }) => (Gam.gateways[self.ID] === undefined ? [] : [Id]));
}

/** Restarts in place that are kept for each task: more than any sensible policy counts. */
const restartsKept = 100;

function isSame(known: ContainerState, listed: ContainerState): boolean {
  const { id, phase, health } = listed;
  return known.id === id && known.phase === phase && known.health === health;
}

/** Whether its container runs, or may be started. */
function holdsFiles({ task, status, container }: LocalTask): boolean {
  if (container?.phase === "running") return true;
  return task !== undefined && status !== undefined && !isTerminal(status.State);
}

/** Whether a refusal may end the task. A task that should not run ends as "shutdown" instead. */
function wants(local: LocalTask): boolean {
  return local.task !== undefined && isWanted(local.task);
}
