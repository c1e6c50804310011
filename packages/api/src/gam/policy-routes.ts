/** Policy routes: which services may have power over their hosts. */
import { check } from "@gam/core";
import {
  allowed,
  deniedPowers,
  type Policy,
  type Power,
  patternForm,
  powers,
  type View,
} from "@gam/state";
import type { PolicyAnswer } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { readOwnBody } from "../request/own-body.ts";
import {
  freshView,
  type RouteContext,
  requireActive,
  sureView,
  write,
} from "../routes/route-context.ts";

const namesMax = 256;
const names = check.optional(check.list(check.string(), namesMax));
const fields = { power: check.string(), allow: names, deny: names };

export function policyRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/gam/v1/policy", async () => {
    requireActive(context.door);
    requireManager(context.door);
    return answerOf(await freshView(context));
  });

  /**
   * `{"power":"privileged","allow":["shop_*"]}` adds names, `{"power":"privileged","deny":["shop_*"]}` removes them.
   * Without names, `deny` removes all.
   */
  app.post("/gam/v1/policy", async (request) => {
    const body = await readOwnBody(request.body, fields);
    requireActive(context.door);
    requireManager(context.door);
    const view = await sureView(context);
    const power = powers.find((one) => one === body.power);
    if (power === undefined) {
      throw new ApiError(400, `"${body.power}" is no power: use ${powers.join(", ")}`);
    }
    const before = allowed(view.cluster?.Policy, power);
    const after = changed(before, { power, allow: body.allow, deny: body.deny });
    const policy: Policy = { ...view.cluster?.Policy, [power]: after };
    const basedOn = view.cluster?.Version.Index ?? 0;
    await write(context, [{ kind: "setPolicy", policy, basedOn }]);
    return answerOf(await freshView(context));
  });
}

/** Errors: ApiError 400 for what is no name, and for a name that cannot be removed. */
function changed(
  before: readonly string[],
  asked: {
    readonly power: Power;
    readonly allow: readonly string[] | undefined;
    readonly deny: readonly string[] | undefined;
  },
): readonly string[] {
  const { power, allow = [], deny } = asked;
  const wrong = [...allow, ...(deny ?? [])].find((name) => !patternForm.test(name));
  if (wrong !== undefined) {
    const advice = "use the name of a service; * stands for any letters";
    throw new ApiError(400, `"${wrong}" is no name of services: ${advice}`);
  }
  if (deny !== undefined && deny.length === 0) return [...new Set(allow)].sort();
  const absent = (deny ?? []).find((name) => !before.includes(name));
  if (absent !== undefined) {
    const has = before.length === 0 ? "no service" : before.join(", ");
    throw new ApiError(400, `the policy allows ${power} to ${has}: "${absent}" is none of these`);
  }
  const kept = before.filter((name) => !deny?.includes(name));
  const all = [...new Set([...kept, ...allow])].sort();
  if (all.length <= namesMax) return all;
  throw new ApiError(
    400,
    `the policy has at most ${namesMax} names for a power: use * for several services`,
  );
}

function answerOf(view: View): PolicyAnswer {
  const policy = view.cluster?.Policy;
  return {
    powers: powers.map((power) => ({ power, services: [...allowed(policy, power)] })),
    breaches: view.services().flatMap(({ Spec }) => {
      const denied = deniedPowers(policy, Spec);
      return denied.length === 0 ? [] : [{ service: Spec.Name, powers: [...denied] }];
    }),
  };
}
