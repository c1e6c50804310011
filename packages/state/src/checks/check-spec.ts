/**
 * Check of a spec that is in the state or on its way there: read once more, as it was by the peer that a
 * client asked, and brought into its one stored form again. What a client may leave open may not be open here.
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

/** Networks of one service. A task has an address in each, and all of them in one change. */
const networksMax = 200;
const aliasesMax = 256;

const present = check.object({});

/**
 * What `read` makes of it, and its refusal as one of a frame. Readers take what a client left out for what is
 * usual; here nothing is left out.
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

/** Whether a template expands is for the node that has the task to find out. */
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

/** The very same value for equal specs. */
export const checkTaskSpec: Check<TaskSpec> = readOnce((value, path) => {
  const spec = readTask(value, path);
  withTargets(spec.Networks, path);
  return spec;
});

export const checkClusterSpec: Check<ClusterSpec> = readBy(readClusterSpec);
export const checkNodeSpec: Check<NodeSpec> = readBy(readNodeSpec);
