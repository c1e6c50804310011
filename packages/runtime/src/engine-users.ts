import { check } from "@gam/core";
import type { EngineClient } from "@gam/engine";

const answerMs = 5_000;
const info = check.object({
  SecurityOptions: check.optional(check.orNull(check.list(check.string(), 1024))),
});

/**
 * Whether the engine gives containers other users than the host's (userns-remap, rootless). Their root may then not
 * open files that only the host's root may open.
 *
 * Errors: EngineUnreachable, EngineRefusal, BAD_FRAME.
 */
export async function mapsUsers(client: EngineClient): Promise<boolean> {
  const answer = await client.call({ method: "GET", path: "/info", limitMs: answerMs });
  const { SecurityOptions } = info(answer, "info");
  return (SecurityOptions ?? []).some((option) => /^name=(?:userns|rootless)(?:,|$)/.test(option));
}
