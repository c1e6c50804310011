/**
 * Log routes: one stream of the logs of many tasks, on any nodes.
 *
 * Sends lines in the order in which they arrive, never one inside another, and no faster than the client reads
 * them. Names at the end each task whose log could not be read.
 */

import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { GamError, messageOf, rethrowInvariant, type TaskId } from "@gam/core";
import { isTerminal, type Task } from "@gam/state";
import type { FastifyInstance, FastifyReply } from "fastify";
import { withTaskDetails } from "../answers/log-details.ts";
import { decodeFrames, encodeFrame, serverStream, splitLines } from "../answers/log-frames.ts";
import { serviceNaming } from "../answers/service-answer.ts";
import { taskNaming } from "../answers/task-answer.ts";
import type { LogsOptions } from "../door/door.ts";
import { ApiError } from "../request/api-error.ts";
import { Query } from "../request/query.ts";
import { resolve } from "../request/reference.ts";
import { closing, freshView, type RouteContext, requireActive } from "./route-context.ts";
import { hasContainer } from "./task-routes.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

/** How many tasks are read at once without `follow`. */
const readersMax = 16;
/** How many tasks one call follows. More would be of no use to a client. */
const followedMax = 1024;

export function logRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get<Ref>("/services/:ref/logs", async (request, reply) => {
    requireActive(context.door);
    const options = optionsOf(new Query(request.url), closing(reply));
    const view = await freshView(context);
    const service = resolve(request.params.ref, view.services(), serviceNaming);
    const belongs = (task: Task): boolean => task.ServiceID === service.ID;
    const tty = service.Spec.TaskTemplate.ContainerSpec.TTY ?? false;
    await new LogStream(context, reply, options, tty).run(view.tasksOf(service.ID), belongs);
    return reply;
  });

  app.get<Ref>("/tasks/:ref/logs", async (request, reply) => {
    requireActive(context.door);
    const options = optionsOf(new Query(request.url), closing(reply));
    const view = await freshView(context);
    const task = resolve(request.params.ref, view.tasks(), taskNaming);
    const tty = task.Spec.ContainerSpec.TTY ?? false;
    // The log of one task ends with the task, so wait only for a task that has not started yet.
    const waits = options.follow && !hasContainer(task) && !isTerminal(task.Status.State);
    const isIt = (one: Task): boolean => one.ID === task.ID;
    await new LogStream(context, reply, options, tty).run([task], waits ? isIt : undefined);
    return reply;
  });
}

function optionsOf(query: Query, signal: AbortSignal): LogsOptions {
  const [stdout, stderr] = [query.flag("stdout"), query.flag("stderr")];
  if (!stdout && !stderr) {
    throw new ApiError(500, "Bad parameters: you must choose at least one stream");
  }
  const tail = query.text("tail") || "all";
  if (!/^(all|\d{1,15})$/.test(tail)) {
    throw new ApiError(500, 'tail value must be a positive integer or "all"');
  }
  return {
    follow: query.flag("follow"),
    stdout,
    stderr,
    since: query.text("since") ?? "",
    until: query.text("until") ?? "",
    timestamps: query.flag("timestamps"),
    tail,
    details: query.flag("details"),
    signal,
  };
}

class LogStream {
  readonly #context: RouteContext;
  readonly #reply: FastifyReply;
  readonly #options: LogsOptions;
  readonly #tty: boolean;
  readonly #begun = new Set<TaskId>();
  readonly #problems: string[] = [];
  #draining: Promise<unknown> | undefined;

  constructor(context: RouteContext, reply: FastifyReply, options: LogsOptions, tty: boolean) {
    this.#context = context;
    this.#reply = reply;
    this.#options = options;
    this.#tty = tty;
  }

  /** `later` picks tasks that start while the client follows. */
  async run(tasks: readonly Task[], later: ((task: Task) => boolean) | undefined): Promise<void> {
    const { follow } = this.#options;
    const answer = this.#begin();
    const followed = follow && later !== undefined ? this.#follow(answer, later) : undefined;
    await this.#readAll(
      tasks.filter((task) => this.#isNew(task)),
      answer,
      follow ? followedMax : readersMax,
    );
    await followed;
    this.#end(answer);
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

  async #readAll(tasks: readonly Task[], answer: ServerResponse, readers: number): Promise<void> {
    const waiting = [...tasks];
    const reader = async (): Promise<void> => {
      for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
        await this.#read(task, answer);
      }
    };
    await Promise.all(Array.from({ length: Math.min(readers, tasks.length) }, reader));
  }

  /** Resolves when the client hangs up. */
  async #follow(answer: ServerResponse, picks: (task: Task) => boolean): Promise<void> {
    const { signal } = this.#options;
    const ended = this.#context.door.subscribe((event) => {
      if (event.table !== "task" || event.after === undefined || !picks(event.after)) return;
      if (this.#begun.size >= followedMax || !this.#isNew(event.after)) return;
      // The task has just started, so its whole log is new to the client: ignore the requested tail.
      void this.#read(event.after, answer, "all");
    });
    try {
      if (!signal.aborted) await once(signal, "abort");
    } finally {
      ended();
    }
  }

  async #read(task: Task, answer: ServerResponse, tail = this.#options.tail): Promise<void> {
    const { signal, details, timestamps } = this.#options;
    try {
      const source = await this.#context.door.containerLogs(task, { ...this.#options, tail });
      for await (const frame of this.#tty ? splitLines(source) : decodeFrames(source)) {
        const payload = details ? withTaskDetails(frame.payload, task, timestamps) : frame.payload;
        if (answer.destroyed) return void source.destroy();
        const bytes = this.#tty ? payload : encodeFrame({ stream: frame.stream, payload });
        if (!answer.write(bytes)) await this.#drained(answer);
      }
    } catch (thrown) {
      rethrowInvariant(thrown);
      if (signal.aborted) return;
      // The container of an old task may have been deleted, with its log.
      if (thrown instanceof GamError && thrown.code === "NOT_FOUND") return;
      this.#problems.push(`task ${task.ID}: ${messageOf(thrown)}`);
      this.#context.log.warn({ task: task.ID, err: thrown }, "Could not read the log of a task");
    }
  }

  /** Makes all readers wait for the client with one listener. */
  #drained(answer: ServerResponse): Promise<unknown> {
    this.#draining ??= once(answer, "drain", { signal: this.#options.signal }).finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  #end(answer: ServerResponse): void {
    if (answer.destroyed) return;
    if (this.#problems.length > 0 && !this.#tty) {
      const why = this.#problems.join("; ");
      const text = `warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${why}`;
      answer.write(encodeFrame({ stream: serverStream, payload: Buffer.from(text) }));
    }
    answer.end();
  }
}
