/** Why: the answer of `GET /gam/v1/why/REF`: why a task, a service or a node is as it is. */
import { type Check, check } from "@gam/core";

/** What a task asks of its node. */
export interface WhyAsked {
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  /** "gpu=2" and the like. */
  readonly generic: readonly string[];
  /** Host-mode ports: "tcp/80" and the like. */
  readonly ports: readonly string[];
  readonly constraints: readonly string[];
}

/** How one node looks to the task. */
export interface WhyNode {
  readonly id: string;
  readonly hostname: string;
  /** What each filter says that the node fails. Empty: it is suitable. */
  readonly obstacles: readonly string[];
  /** Its place among the suitable nodes, from 1; null for an unsuitable one. */
  readonly rank: number | null;
  /** Wanted tasks of the service on it. */
  readonly ofService: number;
  /** The service fails there again and again. */
  readonly failing: boolean;
  /** How loaded it is: 0 for an idle node, 60 for a full one. */
  readonly cost: number;
  readonly hasImage: boolean;
  readonly freeNanoCpus: number;
  readonly nanoCpus: number;
  readonly freeMemoryBytes: number;
  readonly memoryBytes: number;
}

export interface WhyTask {
  readonly id: string;
  /** "web.1" and the like. */
  readonly name: string;
  /** Hostname; "" without a node. */
  readonly node: string;
  readonly state: string;
  readonly desired: string;
  /** When it reached the state. RFC 3339. */
  readonly at: string;
  readonly error: string;
  /** Null: no container of it has ended. */
  readonly exitCode: number | null;
  /** What its host's engine knows beside: memory, the health check, its own error. */
  readonly engine: readonly string[];
  /** The last lines of its log. */
  readonly log: readonly string[];
  /** Why its host could not be asked for these; "" if it was asked. */
  readonly unread: string;
}

export interface WhyReport {
  readonly kind: "task" | "service" | "node";
  readonly id: string;
  readonly name: string;
  /** Sentences, the most likely cause first. */
  readonly causes: readonly string[];
  /** Null for a node. */
  readonly asked: WhyAsked | null;
  readonly nodes: readonly WhyNode[];
  /** The tasks that the causes are about, the newest first. */
  readonly tasks: readonly WhyTask[];
}

const listMax = 100_000;
const text = check.string(65_536);
const texts = check.list(text, 1000);
const number = check.integer();

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkWhyReport: Check<WhyReport> = check.object({
  kind: check.literal("task", "service", "node"),
  id: text,
  name: text,
  causes: texts,
  asked: check.orNull(
    check.object({
      nanoCpus: number,
      memoryBytes: number,
      generic: texts,
      ports: texts,
      constraints: texts,
    }),
  ),
  nodes: check.list(
    check.object({
      id: text,
      hostname: text,
      obstacles: texts,
      rank: check.orNull(number),
      ofService: number,
      failing: check.boolean,
      cost: number,
      hasImage: check.boolean,
      freeNanoCpus: number,
      nanoCpus: number,
      freeMemoryBytes: number,
      memoryBytes: number,
    }),
    listMax,
  ),
  tasks: check.list(
    check.object({
      id: text,
      name: text,
      node: text,
      state: text,
      desired: text,
      at: text,
      error: text,
      exitCode: check.orNull(check.integer(-(2 ** 31))),
      engine: texts,
      log: texts,
      unread: text,
    }),
    1000,
  ),
});
