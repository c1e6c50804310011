/**
 * Check of a spec in the state or on its way there. It is parsed again, as by the peer that a client asked, and
 * brought into its stored form again. Fields that a client may leave out must be present here.
 */
import { type Check, check, GamError } from "@gam/core";
import type { ClusterSpec } from "../objects/cluster.ts";
import type { NodeSpec } from "../objects/node.ts";
import type { NetworkTarget, ServiceSpec, TaskSpec } from "../objects/service.ts";
import { readClusterSpec } from "../specs/cluster-spec.ts";
import { readNodeSpec } from "../specs/node-spec.ts";
import { readOnce } from "../specs/read-once.ts";
import { readServiceSpec, readTaskSpec } from "../specs/service-spec.ts";
import { checkEndpointSpec } from "./check-endpoint.ts";
import { aName, aNetworkTarget } from "./field-checks.ts";

/** Maximum of networks of one service. A task has an address in each, and one change sets all of them. */
const networksMax = 200;
const aliasesMax = 256;

const present = check.object({});

/**
 * Returns: a check from `read`, whose errors become BAD_FRAME. Refuses an absent value, for which a reader
 *         would use defaults.
 */
export function readBy<T>(read: (value: unknown) => T): Check<T> {
  return (value, path) => {
    present(value, path);
    try {
      return read(value);
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      throw new GamError("BAD_FRAME", `Cannot read ${path}: ${thrown.message}`, { cause: thrown });
    }
  };
}

/** Templates are not expanded here: only the task's node can tell whether one expands. */
const rules = { checkTemplate: () => undefined };
const readService = readBy((value) => readServiceSpec(value, rules));
const readTask = readBy((value) => readTaskSpec(value, rules));
const checkTargets = check.list(
  check.object({
    Target: aNetworkTarget,
    Aliases: check.optional(check.list(check.string(255), aliasesMax)),
  }),
  networksMax,
);

function withTargets(networks: readonly NetworkTarget[] | undefined, path: string): void {
  if (networks !== undefined) checkTargets(networks, `${path}.Networks`);
}

export const checkServiceSpec: Check<ServiceSpec> = (value, path) => {
  const spec = readService(value, path);
  aName(spec.Name, `${path}.Name`);
  withTargets(spec.Networks, path);
  withTargets(spec.TaskTemplate.Networks, `${path}.TaskTemplate`);
  if (spec.EndpointSpec !== undefined) checkEndpointSpec(spec.EndpointSpec, `${path}.EndpointSpec`);
  return spec;
};

/** Returns the identical object for equal specs. */
export const checkTaskSpec: Check<TaskSpec> = readOnce((value, path) => {
  const spec = readTask(value, path);
  withTargets(spec.Networks, path);
  return spec;
});

export const checkClusterSpec: Check<ClusterSpec> = readBy(readClusterSpec);
export const checkNodeSpec: Check<NodeSpec> = readBy(readNodeSpec);
