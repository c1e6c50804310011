/** Service asks: the URLs and Prometheus servers that the leader asks about a service. */
import type { ServiceId, TaskId } from "@gam/core";
import { autoscaleOf } from "../../labels/autoscale-labels.ts";
import { rolloutOf } from "../../labels/rollout-labels.ts";
import type { View } from "../../log/view.ts";
import type { Service } from "../../objects/service.ts";
import { isWanted } from "../../objects/task.ts";
import { openRollout } from "../rollout/open-rollout.ts";
import {
  type HttpAnswer,
  type Reading,
  readNumber,
  readPrometheus,
  readStatus,
} from "./http-answer.ts";

/** What is asked for, and how. */
export type AskName = "check-http" | "check-prometheus" | "number-http" | "number-prometheus";

export interface ServiceAsk {
  readonly service: ServiceId;
  readonly name: AskName;
  /** The version of the rollout; 0 for autoscaling. What was answered about another one does not count. */
  readonly about: number;
  readonly url: string;
  readonly read: (answer: HttpAnswer) => Reading;
}

/** Task ids that one query names. */
const namedMax = 100;

/** Returns: what to ask now. Nothing while the new version of a rollout has no weight and no running task. */
export function serviceAsks(view: View, service: Service): readonly ServiceAsk[] {
  return [...rolloutAsks(view, service), ...autoscaleAsks(service)];
}

function rolloutAsks(view: View, service: Service): ServiceAsk[] {
  const rollout = openRollout(service);
  const checks = rollout && rolloutOf(service.Spec)?.checks;
  if (rollout === undefined || checks === undefined) return [];
  if (rollout.phase === "starting" && rollout.step === 0) return [];
  const { http, prometheus } = checks;
  const about = { service: service.ID, about: rollout.version };
  const asks: ServiceAsk[] = [];
  if (http?.kind === "url") {
    asks.push({ ...about, name: "check-http", url: http.url, read: readStatus });
  }
  if (prometheus !== undefined) {
    const { min, max } = prometheus;
    const tasks = view
      .tasksOf(service.ID)
      .filter((task) => task.Gam.templateVersion === rollout.version && isWanted(task))
      .filter(({ Status }) => Status.State === "running")
      .map(({ ID }) => ID);
    asks.push({
      ...{ ...about, name: "check-prometheus" },
      url: queryUrl(prometheus.url, withTasks(prometheus.query, tasks)),
      read: (answer) => bounded(readPrometheus(answer), { min, max }),
    });
  }
  return asks;
}

function bounded(reading: Reading, { min, max }: { min: number; max: number }): Reading {
  if (reading.kind !== "passed" || reading.value === undefined) return reading;
  const { value } = reading;
  if (value < min)
    return { kind: "failed", reason: `the query's result is ${value}, less than ${min}` };
  if (value > max)
    return { kind: "failed", reason: `the query's result is ${value}, more than ${max}` };
  return reading;
}

function autoscaleAsks({ ID: service, Spec, Gam }: Service): ServiceAsk[] {
  const sources = Gam.autoscale && autoscaleOf(Spec)?.sources;
  if (sources === undefined) return [];
  const { http, prometheus } = sources;
  const about = { service, about: 0 };
  const asks: ServiceAsk[] = [];
  if (http?.kind === "url") {
    asks.push({ ...about, name: "number-http", url: http.url, read: readNumber });
  }
  if (prometheus !== undefined) {
    const url = queryUrl(prometheus.url, prometheus.query);
    asks.push({ ...about, name: "number-prometheus", url, read: readPrometheus });
  }
  return asks;
}

/** Source: Prometheus, HTTP API, "Instant queries". */
function queryUrl(server: string, query: string): string {
  return `${server.replace(/\/+$/, "")}/api/v1/query?query=${encodeURIComponent(query)}`;
}

/** Ids of tasks have no letters that a regular expression would read as something else. */
function withTasks(query: string, tasks: readonly TaskId[]): string {
  return query.replaceAll("__TASKS__", () => tasks.slice(0, namedMax).join("|"));
}
