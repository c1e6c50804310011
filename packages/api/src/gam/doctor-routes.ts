/** Doctor routes: what is wrong with the hosts, and mending what a host may mend by itself. */
import { GamError } from "@gam/core";
import type { DoctorFix } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { diagnose, diagnoseHost, type MendOrder, mendsOf } from "../doctor/diagnose.ts";
import type { ClusterDoor } from "../door/door.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { Query } from "../request/query.ts";
import { type RouteContext, requireActive } from "../routes/route-context.ts";

export function doctorRoutes(app: FastifyInstance, { door }: RouteContext): void {
  /**
   * `?paths=no` leaves out what takes long, `?only=self` what is not about the asked host. A host in no cluster
   * examines only itself.
   */
  app.get("/gam/v1/doctor", async (request) => {
    if (door.state() === "inactive") return diagnoseHost(await door.examineHost());
    requireActive(door);
    const query = new Query(request.url);
    const isProbed = query.text("paths") === undefined || query.flag("paths");
    const onlySelf = query.text("only") === "self";
    return diagnose(door.view(), await door.examine(isProbed), { isProbed, onlySelf });
  });

  app.post("/gam/v1/doctor/fix", async () => {
    requireActive(door);
    requireManager(door);
    const orders = mendsOf(door.view(), await door.examine(false));
    return await Promise.all(orders.map((order) => mended(door, order)));
  });
}

async function mended(door: ClusterDoor, { node, host, mend, fix }: MendOrder): Promise<DoctorFix> {
  try {
    return { host, fix, done: await door.mend(node, mend), failure: "" };
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    return { host, fix, done: "", failure: thrown.message };
  }
}
