/**
 * Engine servers: finds the name servers that the engine's resolver asks for a container.
 *
 * New engines write them into the container's resolv.conf, as a comment: `# ExtServers: [192.0.2.53 host(127.0.0.1)]`.
 * For older ones they are those of the container's settings or, without any, the host's. A server of the host's
 * loopback is left out: the engine asks it from the host's own network, not from the container's.
 *
 * Source: libnetwork/internal/resolvconf of Engine 26; libnetwork/sandbox_dns_unix.go of Engine 20.10.
 */
import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { hasCode } from "@gam/core";
import { readResolvConf } from "./resolv-conf.ts";

/** The engine reads the second one if the first one names only systemd's own server. */
const hostFiles = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
const systemdServer = "127.0.0.53";

/** What the engine's resolver asks for a container. */
export interface EngineServers {
  /** IPv4 addresses of servers that it asks from inside of the container. */
  readonly servers: readonly string[];
  /** It asks servers of the host's loopback, from the host. */
  readonly asksHost: boolean;
}

/** `chosen`: the container's own servers. `path`: its resolv.conf on the host, "" when it is not known. */
export async function engineServers(
  chosen: readonly string[],
  path: string,
): Promise<EngineServers> {
  const text = path === "" ? "" : await textOf(path);
  const [, listed] = /^# ExtServers: \[([^\]]*)\]/m.exec(text) ?? [];
  const found = listed?.split(" ") ?? (chosen.length > 0 ? chosen : await hostServers());
  const isLoopback = (server: string): boolean => /^(host\()?127\./.test(server);
  return {
    servers: found.filter((server) => isIPv4(server) && !isLoopback(server)),
    asksHost: found.some(isLoopback),
  };
}

async function hostServers(): Promise<string[]> {
  const [own = [], systemd = []] = await Promise.all(
    hostFiles.map(async (file) => readResolvConf(await textOf(file))),
  );
  const addresses = own.map(({ address }) => address);
  const isStub = addresses.length === 1 && addresses[0] === systemdServer;
  return isStub && systemd.length > 0 ? systemd.map(({ address }) => address) : addresses;
}

/** "" for a file that is not there, or that this process may not read. */
async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    if (hasCode(thrown, "ENOENT") || hasCode(thrown, "EACCES")) return "";
    throw thrown;
  }
}
