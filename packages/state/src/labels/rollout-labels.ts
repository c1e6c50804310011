/**
 * Rollout labels: whether the versions of a service are exchanged step by step, and what a step has to show.
 *
 * Decides what the labels mean together (`rolloutOf`). What happens in a step is decided in
 * orchestrator/src/service/rollout.ts.
 */
import type { RolloutStrategy } from "../objects/rollouts/rollout.ts";
import type { ServiceSpec } from "../objects/service.ts";
import { stickyCookieLabel } from "./http-labels.ts";
import { duration, type LabelRule, list, readLabel, text, whole, words } from "./label-rule.ts";
import { checkLabels, checkProblem, checksOf, type RolloutChecks } from "./rollout-checks.ts";

const stepsMax = 20;
const failuresMax = 100;

/** A step as its owner writes it. Without a time a person says when it is over. */
interface Stage {
  readonly weight: number;
  readonly waitMs?: number | undefined;
}

const strategyLabel: LabelRule<RolloutStrategy> = {
  name: "gam.rollout",
  ...words("canary", "bluegreen"),
  does: "runs a new version beside the old one before it takes over: step by step, or all at once",
  without: "an update replaces one task after the other",
};
const time = duration("0s", "168h");
const stepsLabel: LabelRule<readonly Stage[]> = {
  name: "gam.rollout.steps",
  ...list(
    text(
      "a share of connections and a time such as 10%:2m, or 10% to wait for a person",
      readStage,
    ),
  ),
  does: "sends these shares of connections to a canary, each for its time",
  without: "the steps are 10%:5m, 50%:5m",
};
const switchLabel: LabelRule<number | "promote"> = {
  name: "gam.rollout.switch",
  ...text('a duration from 0s to 168h, or "promote" to wait for a person', (found) => {
    return found === "promote" ? found : time.read(found);
  }),
  does: "sends connections to a blue-green rollout's new tasks when they have been well for so long",
  without: "30s",
};
const keepLabel: LabelRule<number> = {
  name: "gam.rollout.keep",
  ...time,
  does: "keeps the old tasks for so long after all connections go to the new ones, so that going back is immediate",
  without: "5m after blue-green, not at all after a canary",
};
const deadlineLabel: LabelRule<number> = {
  name: "gam.rollout.deadline",
  ...duration("5s", "24h"),
  does: "rolls back when the tasks of a step do not run, or its checks do not pass, for so long",
  without: "10m",
};
const failuresLabel: LabelRule<number> = {
  name: "gam.rollout.failures",
  ...whole(0, failuresMax),
  does: "rolls back when more tasks of the new version than this have failed or become unhealthy",
  without: "0",
};
/** In the order of docs/labels.md. */
export const rolloutLabels: readonly LabelRule<unknown>[] = [
  ...[strategyLabel, stepsLabel, switchLabel, keepLabel, deadlineLabel, failuresLabel],
  ...checkLabels,
];

const stepsDefault: readonly Stage[] = [
  { weight: 10, waitMs: 300_000 },
  { weight: 50, waitMs: 300_000 },
];
const switchMsDefault = 30_000;
const keepMsDefault = { canary: 0, bluegreen: 300_000 } as const;
const deadlineMsDefault = 600_000;

export interface RolloutStep extends Stage {
  /** Whether it has all tasks of the new version, whatever the weight. */
  readonly isWhole: boolean;
}

export interface RolloutWish {
  readonly strategy: RolloutStrategy;
  /** The last one has weight 100. */
  readonly steps: readonly RolloutStep[];
  readonly deadlineMs: number;
  readonly failuresMax: number;
  readonly checks: RolloutChecks;
}

/** Returns: how a new version of the service is rolled out; undefined for an ordinary update. */
export function rolloutOf(spec: ServiceSpec): RolloutWish | undefined {
  const { Labels } = spec;
  const strategy = readLabel(strategyLabel, Labels);
  if (strategy === undefined || misfit(spec) !== undefined) return undefined;
  return {
    strategy,
    steps: stepsOf(strategy, Labels),
    deadlineMs: readLabel(deadlineLabel, Labels) ?? deadlineMsDefault,
    failuresMax: readLabel(failuresLabel, Labels) ?? 0,
    checks: checksOf(spec),
  };
}

/** Returns: how many tasks of the new version a step has: enough for its weight, if each can do as much as an old one. */
export function rolloutTasks({ weight, isWhole }: RolloutStep, replicas: number): number {
  return isWhole ? replicas : Math.ceil((replicas * weight) / 100);
}

function stepsOf(strategy: RolloutStrategy, labels: ServiceSpec["Labels"]): RolloutStep[] {
  const keepMs = readLabel(keepLabel, labels) ?? keepMsDefault[strategy];
  const last = { weight: 100, waitMs: keepMs, isWhole: true };
  if (strategy === "bluegreen") {
    const waits = readLabel(switchLabel, labels) ?? switchMsDefault;
    const waitMs = waits === "promote" ? undefined : waits;
    return [{ weight: 0, waitMs, isWhole: true }, last];
  }
  const stages = readLabel(stepsLabel, labels) ?? stepsDefault;
  return [...stages.map((stage) => ({ ...stage, isWhole: false })), last];
}

/** A law of serviceLabelProblem(). */
export function rolloutProblem(spec: ServiceSpec): string | undefined {
  const { Labels } = spec;
  const set = rolloutLabels.filter(({ name }) => (Labels?.[name] ?? "") !== "");
  const [first] = set;
  if (first === undefined) return undefined;
  const strategy = readLabel(strategyLabel, Labels);
  const isSet = (rule: LabelRule<unknown>): boolean => set.includes(rule);
  if (strategy === undefined) {
    return `label "${first.name}" has no effect without "${strategyLabel.name}": add that label`;
  }
  const [useless, other] =
    strategy === "canary" ? [switchLabel, "bluegreen"] : [stepsLabel, "canary"];
  if (isSet(useless)) {
    return `label "${useless.name}" has no effect with "${strategyLabel.name}" "${strategy}": leave it out, or use "${other}"`;
  }
  const weights = (readLabel(stepsLabel, Labels) ?? []).map(({ weight }) => weight);
  if (weights.length > stepsMax) {
    return `label "${stepsLabel.name}" has ${weights.length} steps: use at most ${stepsMax}`;
  }
  if (weights.some((weight, at) => at > 0 && weight <= (weights[at - 1] ?? 0))) {
    return `label "${stepsLabel.name}" has a step that is not greater than the one before it: let the shares grow`;
  }
  return misfit(spec) ?? unevenCookies(strategy, Labels) ?? checkProblem(spec);
}

/** The proxy binds browsers to tasks and knows no weights. All at once is no weight. */
function unevenCookies(
  strategy: RolloutStrategy,
  labels: ServiceSpec["Labels"],
): string | undefined {
  const { name } = stickyCookieLabel;
  if (strategy !== "canary" || readLabel(stickyCookieLabel, labels) === undefined) return undefined;
  return `label "${name}" binds browsers to tasks, so that "${strategyLabel.name}" "${strategy}" cannot divide them: leave one of the two out, or use "bluegreen"`;
}

/** Returns: why this service cannot have two versions with weights. */
function misfit({ Mode, EndpointSpec }: ServiceSpec): string | undefined {
  const { name } = strategyLabel;
  if (Mode.Replicated === undefined) {
    return `label "${name}" is for replicated services: leave it out, or change the mode to "replicated"`;
  }
  if (EndpointSpec?.Mode === "dnsrr") {
    return `label "${name}" needs a service address, where connections are divided: use the endpoint mode "vip" instead of "dnsrr", or leave the label out`;
  }
  if (EndpointSpec?.Ports?.some(({ PublishMode }) => PublishMode === "host")) {
    return `label "${name}" cannot divide the connections of ports that are published on hosts: publish them in the mode "ingress", or leave the label out`;
  }
  return undefined;
}

function readStage(found: string): Stage | undefined {
  const [, share, wait] = /^(\d{1,2})%?(?::(.+))?$/.exec(found) ?? [];
  const weight = Number(share ?? 0);
  if (weight < 1) return undefined;
  if (wait === undefined) return { weight };
  const waitMs = time.read(wait);
  return waitMs === undefined ? undefined : { weight, waitMs };
}
