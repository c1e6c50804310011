/**
 * Log stream: the logs of many tasks, on any hosts, as one answer in order of time.
 *
 * Sends lines no faster than the client reads them. A host that does not answer is named and does not end the
 * stream: while a client follows, in a line among the others, and the log is read on from there when the host is
 * back; otherwise at the end, as Swarm does.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { GamError, messageOf, type NodeId, rethrowInvariant, type TaskId } from "@gam/core";
import { compareStates, type Task } from "@gam/state";
import type { FastifyReply } from "fastify";
import { hasContainer } from "../answers/task-answer.ts";
import type { ApiLog } from "../door/api-log.ts";
import type { ClusterDoor } from "../door/door.ts";
import { messageInText, openStream, textOfAnswer } from "../engine/open-stream.ts";
import type { Containers } from "../hosts/containers.ts";
import { withTaskDetails } from "./log-details.ts";
import { decodeFrames, encodeFrame, serverStream, splitLines } from "./log-frames.ts";
import { compareTimes, type LogTime, sinceText, timeHead, timeOf } from "./log-times.ts";
import { type Timed, TimeMerge } from "./time-merge.ts";

export interface LogContext {
  readonly door: Pick<ClusterDoor, "self" | "view" | "subscribe">;
  readonly containers: Pick<Containers, "host">;
  readonly log: Pick<ApiLog, "warn">;
}

export interface LogsOptions {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Seconds since 1970, with a fraction if the client wrote one; "" for none. */
  readonly since: string;
  readonly until: string;
  readonly timestamps: boolean;
  /** "all" or a number of lines. */
  readonly tail: string;
  /** Attributes of the log driver at the head of each line. */
  readonly details: boolean;
  /** Ends the stream, also at its source. */
  readonly signal: AbortSignal;
}

interface Line extends Timed {
  readonly stream: number;
  readonly payload: Buffer;
}

/** How many logs are open at once without `follow`. The others begin when one of these has ended. */
const readersMax = 256;
/** How many tasks one call follows. More would be of no use to a client. */
const followedMax = 1024;
/** While a client follows, a line waits so long for earlier lines of hosts that show none. */
const waitMs = 200;
/** A log that broke off is opened again after this time, as long as its task should run. */
const retryMs = 1_000;
const refusalBytesMax = 64 * 1024;
const stderr = 2;
const newline = 10;

export class LogStream {
  readonly #context: LogContext;
  readonly #reply: FastifyReply;
  readonly #options: LogsOptions;
  readonly #tty: boolean;
  readonly #merge: TimeMerge<Line>;
  readonly #begun = new Set<TaskId>();
  readonly #waiting: Task[] = [];
  /** Tasks whose log could not be read to its end, by reason. */
  readonly #problems = new Map<string, TaskId[]>();
  /** Hosts that a line has named and that have not answered since. */
  readonly #named = new Set<NodeId>();

  constructor(context: LogContext, reply: FastifyReply, options: LogsOptions, tty: boolean) {
    this.#context = context;
    this.#reply = reply;
    this.#options = options;
    this.#tty = tty;
    this.#merge = new TimeMerge(options.follow ? waitMs : Number.POSITIVE_INFINITY);
  }

  /** Resolves when the answer has ended. `later` picks tasks that start while the client follows. */
  async run(tasks: readonly Task[], later: ((task: Task) => boolean) | undefined): Promise<void> {
    const { follow, signal, tail } = this.#options;
    const answer = this.#begin();
    this.#waiting.push(...tasks.filter((task) => this.#isNew(task)));
    for (const task of this.#waiting.splice(0, follow ? followedMax : readersMax)) {
      this.#merge.add(this.#lines(task, tail));
    }
    const deafen = follow && later !== undefined ? this.#listen(later) : undefined;
    if (deafen === undefined) this.#merge.close();
    else signal.addEventListener("abort", () => this.#merge.close(), { once: true });
    try {
      for await (const line of this.#merge.items()) {
        if (answer.destroyed) return;
        if (!answer.write(this.#bytesOf(line))) await once(answer, "drain", { signal });
      }
      this.#end(answer);
    } catch (thrown) {
      // The client hung up while it was waited for.
      if (!signal.aborted) throw thrown;
    } finally {
      deafen?.();
    }
  }

  #begin(): ServerResponse {
    this.#reply.hijack();
    const type = this.#tty ? "raw-stream" : "multiplexed-stream";
    const answer = this.#reply.raw;
    answer.writeHead(200, { "Content-Type": `application/vnd.docker.${type}` });
    answer.flushHeaders();
    return answer;
  }

  #isNew(task: Task): boolean {
    if (!hasContainer(task) || this.#begun.has(task.ID)) return false;
    this.#begun.add(task.ID);
    return true;
  }

  #listen(picks: (task: Task) => boolean): () => void {
    return this.#context.door.subscribe((event) => {
      if (event.table !== "task" || event.after === undefined || !picks(event.after)) return;
      if (this.#begun.size >= followedMax || !this.#isNew(event.after)) return;
      // The task has just started, so its whole log is new to the client: ignore the requested tail.
      this.#merge.add(this.#lines(event.after, "all"));
    });
  }

  /** Yields the log of a task, over interruptions if the client follows. */
  async *#lines(task: Task, tail: string): AsyncGenerator<Line> {
    const { follow, signal } = this.#options;
    let last: LogTime | undefined;
    for (;;) {
      try {
        for await (const line of this.#read(task, last, tail)) {
          last = line.time;
          yield line;
        }
        break;
      } catch (thrown) {
        rethrowInvariant(thrown);
        // The container of an old task may have been deleted, with its log.
        if (signal.aborted || (thrown instanceof GamError && thrown.code === "NOT_FOUND")) break;
        const reason = messageOf(thrown);
        this.#context.log.warn({ task: task.ID, reason }, "Could not read the log of a task");
        if (!follow) {
          this.#problems.set(reason, [...(this.#problems.get(reason) ?? []), task.ID]);
          break;
        }
        const notice = this.#notice(task, reason);
        if (notice !== undefined) yield notice;
      }
      if (!(await this.#mayGoOn(task))) break;
    }
    const next = this.#waiting.shift();
    if (next !== undefined) this.#merge.add(this.#lines(next, tail));
  }

  /**
   * Yields the log of a task from its host; behind `last` if that is given.
   *
   * Errors: GamError NOT_FOUND, ENGINE_MISSING, ENGINE_FAILED, UNREACHABLE; those of the stream.
   */
  async *#read(task: Task, last: LogTime | undefined, tail: string): AsyncGenerator<Line> {
    const { details } = this.#options;
    const source = await this.#open(task, last, tail);
    let time = last ?? { ms: 0, nanos: 0 };
    // The engine's `since` includes that moment.
    let isBehind = last === undefined;
    for await (const { stream, payload } of this.#tty ? splitLines(source) : decodeFrames(source)) {
      const timed = timeOf(payload);
      time = timed?.time ?? time;
      isBehind ||= last === undefined || compareTimes(time, last) > 0;
      if (!isBehind) continue;
      const line = details ? withTaskDetails(payload, task, timed !== undefined) : payload;
      const text = this.#options.timestamps ? line : line.subarray(timed?.textAt ?? 0);
      yield { time, stream, payload: text, isCut: !this.#tty && payload.at(-1) !== newline };
    }
  }

  async #open(task: Task, last: LogTime | undefined, tail: string): Promise<Readable> {
    const { containers, door } = this.#context;
    const { stdout, stderr, follow, details, since, until, signal } = this.#options;
    const container = task.Status.ContainerStatus?.ContainerID;
    const target = task.NodeID === undefined ? undefined : containers.host(task.NodeID);
    if (container === undefined || target === undefined) {
      throw new GamError("NOT_FOUND", `Cannot read logs of task ${task.ID}: it has no container`);
    }
    const flags = Object.entries({ stdout, stderr, follow, details, timestamps: true });
    const query = new URLSearchParams([
      ...flags.map(([name, is]) => [name, is ? "1" : "0"]),
      ["since", last === undefined ? since : sinceText(last)],
      ["until", until],
      ["tail", last === undefined ? tail : "all"],
    ]);
    const answer = await openStream(target, `/containers/${container}/logs?${query}`, signal);
    if (answer.statusCode === 200) {
      this.#named.delete(task.NodeID ?? door.self);
      return answer;
    }
    const text = messageInText(await textOfAnswer(answer, refusalBytesMax));
    const code = answer.statusCode === 404 ? "NOT_FOUND" : "ENGINE_FAILED";
    throw new GamError(code, `Cannot read logs of task ${task.ID}: ${text}`);
  }

  /** Resolves after a pause to whether the task should still run. Its host may be back by then. */
  async #mayGoOn({ ID }: Task): Promise<boolean> {
    const { signal } = this.#options;
    await delay(retryMs, undefined, { signal, ref: false }).catch(rethrowInvariant);
    const task = this.#context.door.view().task(ID);
    if (signal.aborted || task === undefined) return false;
    return [task.DesiredState, task.Status.State].every(
      (state) => compareStates(state, "running") <= 0,
    );
  }

  /** Returns: a line that names the host, among the lines of the task; undefined if one has named it already. */
  #notice(task: Task, reason: string): Line | undefined {
    const { details, timestamps } = this.#options;
    const node = task.NodeID;
    if (node === undefined || this.#named.has(node)) return undefined;
    this.#named.add(node);
    const ms = Date.now();
    const line = `${timeHead(ms)}${details ? " " : ""}warning: lines are missing. ${reason}\n`;
    const whole = details ? withTaskDetails(Buffer.from(line), task, true) : Buffer.from(line);
    const payload = timestamps ? whole : whole.subarray(timeHead(ms).length);
    return { time: { ms, nanos: 0 }, stream: stderr, payload, isCut: false };
  }

  #bytesOf({ stream, payload }: Line): Buffer {
    return this.#tty ? payload : encodeFrame({ stream, payload });
  }

  /** With Swarm's words. */
  #end(answer: ServerResponse): void {
    if (answer.destroyed) return;
    const why = [...this.#problems]
      .map(([reason, tasks]) => `task${tasks.length > 1 ? "s" : ""} ${tasks.join(", ")}: ${reason}`)
      .join("; ");
    if (why !== "") {
      const text = `warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${why}`;
      const payload = Buffer.from(this.#tty ? `${text}\r\n` : text);
      answer.write(this.#tty ? payload : encodeFrame({ stream: serverStream, payload }));
    }
    answer.end();
  }
}
