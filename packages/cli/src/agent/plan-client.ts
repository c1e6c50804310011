/**
 * Plan client: an agent client whose calls about the cluster go to a copy of its state.
 *
 * Commands that write can be tried with it: they run unchanged. Calls that only ask a registry go to the agent.
 */
import { check } from "@gam/core";
import { checkPlanReport, type PlanReport } from "@gam/state/answers";
import { AgentClient, type AgentResponse, type Sending } from "./agent-client.ts";

const ofCluster = /^\/(services|networks|secrets|configs|tasks|nodes)\b/;
const checkMade = check.object({ ID: check.string(64) });

export class PlanClient extends AgentClient {
  readonly #plan: string;

  private constructor(socket: string, plan: string) {
    super(socket);
    this.#plan = plan;
  }

  /** Runs `work` with a client for a new plan. Resolves to what would follow. Errors: those of `work` and the agent. */
  static async rehearse(
    client: AgentClient,
    work: (plan: AgentClient) => Promise<void>,
  ): Promise<PlanReport> {
    const { ID } = checkMade(await client.post("/gam/v1/plans", {}), "plan");
    const path = `/gam/v1/plans/${ID}`;
    try {
      await work(new PlanClient(client.socket, path));
      return checkPlanReport(await client.get(path), "plan");
    } finally {
      await client.ask("DELETE", path);
    }
  }

  override send(sending: Sending): Promise<AgentResponse> {
    const { path } = sending;
    return super.send(
      ofCluster.test(path) ? { ...sending, path: `${this.#plan}${path}` } : sending,
    );
  }
}
