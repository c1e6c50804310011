/**
 * Bridge rescue: a bridge of the engine's that somebody deleted while containers were on it.
 *
 * The engine does not make it again before the network is made again, and that it refuses while
 * containers are there. So the bridge is made under its name, and the host's ends of the containers'
 * links are put back into it. What else a bridge needs is the business of link-steps.ts.
 */
import { check } from "@gam/core";
import { CommandFailed, type Run } from "./command.ts";
import { listLinks } from "./read-links.ts";

/** One container's place in a network. */
export interface Endpoint {
  /** A process of the container. */
  readonly pid: number;
  readonly mac: string;
}

const inside = check.list(
  check.object({
    link_index: check.optional(check.integer()),
    address: check.optional(check.string(64)),
  }),
  4096,
);

/** Errors: CommandFailed. */
export async function rescueBridge(
  run: Run,
  bridge: string,
  endpoints: readonly Endpoint[],
): Promise<void> {
  const peers = await Promise.all(endpoints.map((endpoint) => hostEndOf(run, endpoint)));
  const indexes = new Set(peers);
  const ends = (await listLinks(run)).filter(
    ({ ifindex, linkinfo }) => linkinfo?.info_kind === "veth" && indexes.has(ifindex),
  );
  const lines = [
    `link add ${bridge} type bridge`,
    ...ends.map(({ ifname }) => `link set ${ifname} master ${bridge} up`),
  ];
  await run("ip", ["-force", "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** Index of the device at the other end, `undefined` for a container that has gone. */
async function hostEndOf(run: Run, { pid, mac }: Endpoint): Promise<number | undefined> {
  try {
    const answer = await run("nsenter", ["-t", `${pid}`, "-n", "ip", "-j", "link", "show"]);
    const links = inside(JSON.parse(answer), "ip link");
    return links.find(({ address }) => address === mac)?.link_index;
  } catch (thrown) {
    if (thrown instanceof CommandFailed) return undefined;
    throw thrown;
  }
}
