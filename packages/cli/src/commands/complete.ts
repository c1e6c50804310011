/** gam completion, gam complete: what shells ask for while somebody types. */
import { check, GamError } from "@gam/core";
import { stackLabel } from "@gam/state";
import type { Command } from "commander";
import type { AgentClient } from "../agent/agent-client.ts";
import type { CommandIo } from "../agent/command-io.ts";
import { candidatesFor, type LiveKind } from "../reference/candidates.ts";
import { filesLine } from "../reference/shells.ts";

const listMax = 1 << 16;
const text = check.string(1 << 16);
const labels = check.optional(check.orNull(check.map(text, 4096)));
const services = check.list(
  check.object({ Spec: check.object({ Name: text, Labels: labels }) }),
  listMax,
);
const hosts = check.list(check.object({ Description: check.object({ Hostname: text }) }), listMax);
const volumes = check.object({
  Volumes: check.orNull(check.list(check.object({ Name: text }), listMax)),
});

/** Prints a candidate a line. Never fails: a shell has no place for an error while somebody types. */
export async function complete(
  program: Command,
  client: AgentClient,
  { io, words }: { readonly io: CommandIo; readonly words: readonly string[] },
): Promise<void> {
  const { words: known, live, typed, before, files } = candidatesFor(program, words);
  for (const { word, about } of known) io.print(about === "" ? word : `${word}\t${about}`);
  const names = await Promise.all(live.map((kind) => namesOf(kind, client)));
  for (const name of [...new Set(names.flat())].sort()) {
    if (name.startsWith(typed)) io.print(`${before}${name}`);
  }
  if (files) io.print(filesLine);
}

async function namesOf(kind: LiveKind, client: AgentClient): Promise<string[]> {
  try {
    return await readNames(kind, client);
  } catch (thrown) {
    // Without an agent, or before the host is in a mesh, there are no names.
    if (!(thrown instanceof GamError)) throw thrown;
    return [];
  }
}

async function readNames(kind: LiveKind, client: AgentClient): Promise<string[]> {
  switch (kind) {
    case "host": {
      const all = hosts(await client.get("/nodes"), "nodes");
      return all.map(({ Description }) => Description.Hostname);
    }
    case "service":
      return (await servicesOf(client)).map(({ Name }) => Name);
    case "stack":
      return (await servicesOf(client)).flatMap(({ Labels }) => Labels?.[stackLabel] ?? []);
    case "volume":
      return (volumes(await client.get("/volumes"), "volumes").Volumes ?? []).map(
        ({ Name }) => Name,
      );
  }
}

async function servicesOf(client: AgentClient): Promise<ReturnType<typeof services>[0]["Spec"][]> {
  return services(await client.get("/services"), "services").map(({ Spec }) => Spec);
}
