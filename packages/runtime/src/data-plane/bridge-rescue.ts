/**
 * Bridge rescue: recreates an engine bridge that somebody deleted while containers were on it.
 *
 * The engine recreates the bridge only with the network, and refuses to recreate a network while containers are in
 * it. So this makes a bridge of the same name and puts the host's ends of the containers' links back into it.
 * link-steps.ts does the rest of what a bridge needs.
 */
import { type DeviceName, deviceName } from "@gam/network";
import { CommandFailed, type Run } from "./kernel/command.ts";
import { listLinks } from "./kernel/read-links.ts";
import { linksIn } from "./kernel/sandbox.ts";

/** One container's endpoint in a network. */
export interface BridgeEndpoint {
  /** A process of the container. */
  readonly pid: number;
  readonly mac: string;
}

/** Errors: CommandFailed. */
export async function rescueBridge(
  run: Run,
  bridge: DeviceName,
  endpoints: readonly BridgeEndpoint[],
): Promise<void> {
  const peers = await Promise.all(endpoints.map((endpoint) => hostEndOf(run, endpoint)));
  const indexes = new Set(peers);
  const ends = (await listLinks(run)).flatMap(({ ifname = "", ifindex, linkinfo }) => {
    const isEnd = linkinfo?.info_kind === "veth" && indexes.has(ifindex);
    return isEnd ? (deviceName(ifname) ?? []) : [];
  });
  const lines = [
    `link add ${bridge} type bridge`,
    ...ends.map((name) => `link set ${name} master ${bridge} up`),
  ];
  await run("ip", ["-force", "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** Index of the device at the other end of the link; `undefined` for a container that has gone. */
async function hostEndOf(run: Run, { pid, mac }: BridgeEndpoint): Promise<number | undefined> {
  try {
    const within: Run = (program, args) => run("nsenter", ["-t", `${pid}`, "-n", program, ...args]);
    const links = await linksIn(within);
    return links.find(({ address }) => address === mac)?.link_index;
  } catch (thrown) {
    if (thrown instanceof CommandFailed) return undefined;
    throw thrown;
  }
}
