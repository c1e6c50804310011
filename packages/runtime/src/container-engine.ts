/**
 * ContainerEngine: what gam needs from the Docker engine of its node.
 *
 * `DockerEngine` is the real one. Its fake wraps `SimEngine` of `@gam/worker/testing`; both pass the same suite.
 */
import type { NodeDescription, TaskToMeasure, Usage } from "@gam/state";
import type { ActionOutcome, EngineAction, WorkerInput } from "@gam/worker";

/** Inputs of the worker. Pass them on unchanged and in this order. */
export type EngineNews = Extract<WorkerInput, { kind: "engine" | "containers" | "container" }>;

export interface ContainerEngine {
  /** Never rejects and always answers: every call has a time limit. */
  perform(action: EngineAction): Promise<ActionOutcome>;
  /**
   * Reports to `listener` from now on: first whether the engine answers, then all of gam's containers, then each
   * changed container, and the whole list again at intervals. Reconnects by itself. Takes one listener.
   */
  watch(listener: (news: EngineNews) => void): void;
  /** Errors: ENGINE_MISSING. */
  describe(): Promise<NodeDescription>;
  /** Cheap enough to call every second. Without an engine it still measures the host and the tasks. */
  usage(tasks?: readonly TaskToMeasure[]): Promise<Usage>;
  /** Ends the watch and every stream. */
  close(): Promise<void>;
}
