/**
 * ContainerEngine: what gam needs of the Docker engine of its node.
 *
 * `Engine` is the real one. Its fake is `FakeEngine` of `@gam/worker/testing`; both pass the same suite.
 */
import type { Readable } from "node:stream";
import type { NodeDescription, Usage } from "@gam/state";
import type { ActionOutcome, EngineAction, WorkerInput } from "@gam/worker";

/** Inputs of the worker, to be handed on as they are, in this order. */
export type EngineNews = Extract<WorkerInput, { kind: "engine" | "containers" | "container" }>;

export interface ContainerLogsOptions {
  readonly follow?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  /** Lines, or `all`. */
  readonly tail?: string;
  /** Seconds since 1970, with fractions. */
  readonly since?: string;
  readonly until?: string;
}

export interface ContainerEngine {
  /** Never rejects, and always answers: every call has a bounded time. */
  perform(action: EngineAction): Promise<ActionOutcome>;
  /**
   * News from now on: first whether the engine is there, then all of gam's containers, then each one
   * that changes, with a whole list again at intervals. Connects again by itself. One listener.
   */
  watch(listener: (news: EngineNews) => void): void;
  /** Errors: ENGINE_MISSING. */
  describe(): Promise<NodeDescription>;
  /** Cheap enough to be asked every second. Without an engine the host is described all the same. */
  usage(): Promise<Usage>;
  /**
   * The log as the engine sends it: frames, or plain bytes when the container has a terminal.
   * Reads no faster than it is read. Errors: NOT_FOUND, ENGINE_MISSING, ENGINE_FAILED.
   */
  logs(container: string, options: ContainerLogsOptions): Promise<Readable>;
  /** Ends the watch and every stream. */
  close(): Promise<void>;
}
