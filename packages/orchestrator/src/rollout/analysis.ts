/**
 * Analysis: what the checks of a rollout say about its new version.
 *
 * A check that has failed too often in a row fails the version. One that has not passed lately keeps it where it is:
 * what nobody has answered is not good. Does not ask anybody.
 */
import type { AskName, RolloutChecks, Service, Task, TaskCheck } from "@gam/state";

/** The last answers of a URL or a Prometheus server. */
export interface ServiceAnswer extends TaskCheck {
  /** Of the last answer; undefined if it had none, or for one that says nothing about the service. */
  readonly value?: number | undefined;
  /** Whether the last answer said something about the service. */
  readonly isKnown: boolean;
}

export interface CheckFacts {
  /** What the task's host says; undefined before it has. */
  readonly taskCheck: (task: Task) => TaskCheck | undefined;
  /** Undefined before an answer, and when the last one is old. `about`: as in ServiceAsk. */
  readonly serviceAnswer: (
    service: Service,
    name: AskName,
    about: number,
  ) => ServiceAnswer | undefined;
}

/** Nobody was asked anything. */
export const noChecks: CheckFacts = {
  taskCheck: () => undefined,
  serviceAnswer: () => undefined,
};

export interface Analysis {
  /** Why the version must go. */
  readonly failing?: string | undefined;
  /** Why it cannot go on yet. */
  readonly open?: string | undefined;
}

/** Shape: `tasks` are the running tasks of the new version. */
export function analyse(
  service: Service,
  { checks, version, tasks }: { checks: RolloutChecks; version: number; tasks: readonly Task[] },
  facts: CheckFacts,
): Analysis {
  const { http, prometheus, failures } = checks;
  const said: {
    readonly what: string;
    readonly answer: (TaskCheck & { isKnown?: boolean }) | undefined;
  }[] = [];
  if (http?.kind === "tasks") {
    for (const task of tasks) {
      said.push({
        what: `task ${task.ID}, asked for ${http.path},`,
        answer: facts.taskCheck(task),
      });
    }
  }
  if (http?.kind === "url") {
    said.push({ what: http.url, answer: facts.serviceAnswer(service, "check-http", version) });
  }
  if (prometheus !== undefined) {
    const answer = facts.serviceAnswer(service, "check-prometheus", version);
    said.push({ what: "Prometheus", answer });
  }
  const failing = said.find(({ answer }) => answer !== undefined && answer.failures >= failures);
  if (failing !== undefined) {
    return {
      failing: `${failing.what} failed ${failures} times in a row: ${failing.answer?.reason}`,
    };
  }
  const open = said.find(
    ({ answer }) => !answer || answer.failures > 0 || answer.isKnown === false,
  );
  if (open === undefined) return {};
  return {
    open: `${open.what} ${open.answer ? `said: ${open.answer.reason}` : "was not asked yet"}`,
  };
}
