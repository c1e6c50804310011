/** Why: asks the agent why a task, a service or a node is as it is, and shows the answer. */
import { checkWhyReport } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { whyView } from "../views/why-view.ts";

/** Errors: those of AgentClient; NOT_FOUND for an unknown name. */
export async function why(
  client: AgentClient,
  io: CommandIo,
  { name, json = false }: { readonly name: string; readonly json?: boolean },
): Promise<void> {
  const answer = await client.get(`/gam/v1/why/${encodeURIComponent(name)}`);
  const report = checkWhyReport(answer, "report");
  if (json) return io.print(JSON.stringify(answer, undefined, 2));
  const paint = createColors(io.isTerminal);
  for (const line of whyView(report, { paint, nowMs: io.nowMs() })) io.print(line);
}
