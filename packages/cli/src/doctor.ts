/** Doctor: asks the mesh what its hosts lack, and shows it. */
import { checkDoctorReport } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "./agent-client.ts";
import { doctorView } from "./doctor-view.ts";
import type { World } from "./world.ts";

/** Shape: whether nothing is wrong. */
export async function doctor(
  client: AgentClient,
  world: World,
  { json = false }: { readonly json?: boolean },
): Promise<boolean> {
  const answer = await client.get("/gam/v1/doctor");
  const report = checkDoctorReport(answer, "report");
  if (json) world.print(JSON.stringify(answer, undefined, 2));
  else for (const line of doctorView(report, createColors(world.isTerminal))) world.print(line);
  return report.healthy;
}
