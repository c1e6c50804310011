/**
 * Engine watch: reports when the engine connects or fails, and how its containers change.
 *
 * Connects, subscribes to events, then lists, so that no change between the two is missed. An event only says
 * which container to inspect. It reconnects when the event stream ends or the engine stops answering pings.
 *
 * The worker's own actions cause most events, and each action ends with an inspection. So an event that comes during
 * an action, before that inspection is asked for, needs none of its own.
 */
import type { Readable } from "node:stream";
import { check, messageOf, rethrowInvariant, type TaskId } from "@gam/core";
import { type EngineClient, EngineRefusal } from "@gam/engine";
import { label } from "@gam/state";
import type { ActionOutcome, ContainerState } from "@gam/worker";
import type { EngineNews } from "./container-engine.ts";
import { type Listing, readList, taskOf } from "./container-inspect.ts";
import { pause } from "./data-plane/kernel/pause.ts";
import { jsonLines } from "./json-lines.ts";
import type { Performer } from "./perform-action.ts";

const retryMs = 500;
const answerMs = 10_000;
const pingMs = 5_000;
const resyncMs = 30_000;
const inspectsAtOnce = 4;

const event = check.object({
  Type: check.string(),
  Action: check.string(),
  Actor: check.object({
    ID: check.string(),
    Attributes: check.optional(check.map(check.string(1 << 20), 4096)),
  }),
});

export interface WatchListener {
  onNews(news: EngineNews): void;
  /** Called when the engine has connected: discard all cached knowledge of it. */
  onConnect(): Promise<void> | void;
  onImagesChanged(): void;
}

export class EngineWatch {
  readonly #client: EngineClient;
  readonly #performer: Performer;
  readonly #listener: WatchListener;
  readonly #closing = new AbortController();
  /** Each container's state as last read. */
  readonly #known = new Map<string, ContainerState>();
  /** Containers being inspected; `true` when another event arrived meanwhile. */
  readonly #looking = new Map<string, boolean>();
  /** Tasks whose container an action is changing, each with the container to inspect after it. */
  readonly #acting = new Map<TaskId, string | undefined>();
  #ended: Promise<void> | undefined;

  constructor(client: EngineClient, performer: Performer, listener: WatchListener) {
    this.#client = client;
    this.#performer = performer;
    this.#listener = listener;
  }

  get running(): number {
    let running = 0;
    for (const { phase } of this.#known.values()) if (phase === "running") running += 1;
    return running;
  }

  start(): void {
    this.#ended ??= this.run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  /** Performs an action on the container of a task. It calls asked() before each inspection. */
  async during(task: TaskId, act: () => Promise<ActionOutcome>): Promise<ActionOutcome> {
    this.#acting.set(task, undefined);
    try {
      const outcome = await act();
      const seen = outcome.ok ? outcome.container : undefined;
      if (seen !== undefined) this.#known.set(seen.id, seen);
      return outcome;
    } finally {
      const left = this.#acting.get(task);
      this.#acting.delete(task);
      if (left !== undefined) this.#notice(left);
    }
  }

  /** What has become of this task's container is being asked or is known, which answers all events of it so far. */
  asked(task: TaskId): void {
    if (this.#acting.has(task)) this.#acting.set(task, undefined);
  }

  /** Runs until close(). Rejects only when the listener throws a broken invariant. */
  async run(): Promise<void> {
    let lostBecause: string | undefined;
    while (!this.#closing.signal.aborted) {
      const reason = await this.#session(() => {
        lostBecause = undefined;
      });
      if (reason !== lostBecause && !this.#closing.signal.aborted) {
        lostBecause = reason;
        this.#listener.onNews({ kind: "engine", ready: false, reason });
      }
      await pause(retryMs, this.#closing.signal);
    }
  }

  /** Runs one connection until it ends. Returns: why it ended. */
  async #session(onReady: () => void): Promise<string> {
    const session = new AbortController();
    const end = (): void => session.abort();
    this.#closing.signal.addEventListener("abort", end);
    try {
      await this.#client.negotiate(answerMs);
      const stream = await this.#client.stream({
        method: "GET",
        path: "/events",
        query: { filters },
        limitMs: answerMs,
      });
      session.signal.addEventListener("abort", () => stream.destroy());
      if (session.signal.aborted) stream.destroy();
      this.#known.clear();
      await this.#listener.onConnect();
      onReady();
      this.#listener.onNews({ kind: "engine", ready: true, reason: "" });
      const guard = this.#guard(session);
      const ended = await this.#listen(stream);
      session.abort();
      return (await guard) ?? ended;
    } catch (thrown) {
      rethrowInvariant(thrown);
      return messageOf(thrown);
    } finally {
      session.abort();
      this.#closing.signal.removeEventListener("abort", end);
    }
  }

  /** Returns: why the events ended. */
  async #listen(stream: Readable): Promise<string> {
    // The stream may fail once more after the loop below has stopped reading it.
    stream.on("error", () => undefined);
    try {
      for await (const line of jsonLines(stream)) this.#hear(line);
      return "Cannot reach engine: it closed the connection";
    } catch (thrown) {
      rethrowInvariant(thrown);
      return `Cannot read engine events: ${messageOf(thrown)}`;
    } finally {
      stream.destroy();
    }
  }

  /** Lists at once and at intervals, and pings in between. Returns: why the engine no longer answers. */
  async #guard(session: AbortController): Promise<string | undefined> {
    try {
      for (let sinceListMs = resyncMs; !session.signal.aborted; sinceListMs += pingMs) {
        if (sinceListMs >= resyncMs) {
          sinceListMs = 0;
          const containers = await this.#list();
          if (session.signal.aborted) return undefined;
          this.#listener.onNews({ kind: "containers", containers });
        } else {
          await this.#client.call({ method: "GET", path: "/_ping", limitMs: answerMs });
        }
        await pause(pingMs, session.signal);
      }
      return undefined;
    } catch (thrown) {
      rethrowInvariant(thrown);
      if (session.signal.aborted) return undefined;
      session.abort();
      return messageOf(thrown);
    }
  }

  async #list(): Promise<ContainerState[]> {
    const answer = await this.#client.call({
      method: "GET",
      path: "/containers/json",
      query: { all: true, filters: { label: [label.cluster] } },
      limitMs: answerMs,
    });
    const found = readList(answer);
    const ids = new Set(found.map(({ id }) => id));
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    const stale = found.filter((listing) => !isSame(listing, this.#known.get(listing.id)));
    while (stale.length > 0) {
      await Promise.all(stale.splice(0, inspectsAtOnce).map(({ id }) => this.#inspect(id)));
    }
    return found.flatMap(({ id }) => this.#known.get(id) ?? []);
  }

  #hear(line: unknown): void {
    const { Type, Action, Actor } = event(line, "event");
    if (Type === "image") return this.#listener.onImagesChanged();
    const task = taskOf(Actor.Attributes);
    if (Type !== "container" || task === undefined) return;
    if (Action === "destroy") {
      this.asked(task);
      return this.#gone(Actor.ID, task);
    }
    if (this.#acting.has(task)) this.#acting.set(task, Actor.ID);
    else this.#notice(Actor.ID);
  }

  #notice(id: string): void {
    if (this.#looking.has(id)) this.#looking.set(id, true);
    else void this.#look(id);
  }

  /** Inspects a container, one call at a time, so that the last reported state is the newest. */
  async #look(id: string): Promise<void> {
    do {
      this.#looking.set(id, false);
      try {
        const state = await this.#inspect(id);
        if (state !== undefined) this.#listener.onNews({ kind: "container", container: state });
      } catch (thrown) {
        rethrowInvariant(thrown);
        // The connection to the engine broke. The next list has what was missed.
        this.#looking.delete(id);
        return;
      }
    } while (this.#looking.get(id) === true);
    this.#looking.delete(id);
  }

  async #inspect(id: string): Promise<ContainerState | undefined> {
    try {
      const inspection = await this.#performer.inspect(id);
      if (inspection !== undefined) this.#known.set(id, inspection.state);
      return inspection?.state;
    } catch (thrown) {
      // One container that cannot be inspected must not hide the others.
      if (!(thrown instanceof EngineRefusal)) throw thrown;
      this.#known.delete(id);
      return undefined;
    }
  }

  #gone(id: string, task: TaskId): void {
    this.#known.delete(id);
    const nothing = { exitCode: 0, pid: 0, health: "none", ports: [] } as const;
    this.#listener.onNews({
      kind: "container",
      container: { id, task, phase: "gone", ...nothing },
    });
  }
}

const filters = {
  type: ["container", "image"],
  event: [
    ...["create", "start", "die", "destroy", "pause", "unpause", "health_status"],
    ...["pull", "load", "import", "tag", "untag", "delete"],
  ],
};

function isSame(listing: Listing, known: ContainerState | undefined): boolean {
  if (known?.phase !== listing.phase) return false;
  return listing.phase !== "running" || known.health === listing.health;
}
