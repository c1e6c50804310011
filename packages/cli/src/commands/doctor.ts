/** Doctor: asks the agent to check all hosts, and shows the report. */
import { checkDoctorReport } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { doctorView } from "../views/doctor-view.ts";

/** Returns: whether nothing is wrong. */
export async function doctor(
  client: AgentClient,
  io: CommandIo,
  { json = false }: { readonly json?: boolean },
): Promise<boolean> {
  const answer = await client.get("/gam/v1/doctor");
  const report = checkDoctorReport(answer, "report");
  if (json) io.print(JSON.stringify(answer, undefined, 2));
  else for (const line of doctorView(report, createColors(io.isTerminal))) io.print(line);
  return report.healthy;
}
