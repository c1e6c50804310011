/** Autoscale: asks the agent how services are scaled by their load, and shows the answer. */
import { checkAutoscaleReport } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { autoscaleView } from "../views/autoscale-view.ts";

export async function autoscale(
  client: AgentClient,
  io: CommandIo,
  { service, json = false }: { readonly service: string | undefined; readonly json?: boolean },
): Promise<void> {
  const query = service === undefined ? "" : `?service=${encodeURIComponent(service)}`;
  const answer = await client.get(`/gam/v1/autoscale${query}`);
  const report = checkAutoscaleReport(answer, "report");
  if (json) return io.print(JSON.stringify(answer, undefined, 2));
  const options = { paint: createColors(io.isTerminal), isOne: service !== undefined };
  for (const line of autoscaleView(report, options)) io.print(line);
}
