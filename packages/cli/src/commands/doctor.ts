/** Doctor: asks the agent to check all hosts, and shows the report. */
import { GamError } from "@gam/core";
import { checkDoctorFixes, checkDoctorReport, type DoctorFinding } from "@gam/state/answers";
import { createColors } from "picocolors";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { doctorView, findingView, fixesView } from "../views/doctor-view.ts";

export interface DoctorOptions {
  readonly json?: boolean;
  /** Let hosts mend what they can by themselves, and look again. */
  readonly fix?: boolean;
}

/** Returns: whether nothing is wrong. */
export async function doctor(
  client: AgentClient,
  io: CommandIo,
  { json = false, fix = false }: DoctorOptions,
): Promise<boolean> {
  const paint = createColors(io.isTerminal);
  if (fix) {
    const fixes = checkDoctorFixes(await client.post("/gam/v1/doctor/fix", {}), "fixes");
    for (const line of fixesView(fixes, paint)) io[json ? "complain" : "print"](line);
    if (!json) io.print("");
  }
  const answer = await client.get("/gam/v1/doctor");
  const report = checkDoctorReport(answer, "report");
  if (json) io.print(JSON.stringify(answer, undefined, 2));
  else for (const line of doctorView(report, paint)) io.print(line);
  return report.healthy;
}

/** Says what is wrong with this host, after it has become a member. Never fails, because the membership is there. */
export async function warnOfHost(client: AgentClient, io: CommandIo): Promise<void> {
  let findings: readonly DoctorFinding[];
  try {
    const answer = await client.get("/gam/v1/doctor?paths=no&only=self");
    findings = checkDoctorReport(answer, "report").findings;
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    io.complain(`Warning: this host could not be checked: ${thrown.message}`);
    return;
  }
  const paint = createColors(io.isTerminal);
  for (const finding of findings) {
    const [cause = "", ...more] = findingView(finding, paint);
    for (const line of [`Warning: ${cause}`, ...more]) io.complain(line);
  }
}
