/**
 * Trace: a host's network configuration as text that stays the same while it is not changed. Tests compare
 * two of them to see whether gam has left everything as before.
 */
import { type Host, LabError } from "./lab.ts";

const looks: Readonly<Record<string, readonly string[]>> = {
  links: ["ip", "-o", "link", "show"],
  addresses: ["ip", "-o", "-4", "addr", "show"],
  routes: ["ip", "route", "show", "table", "all"],
  rules: ["ip", "rule", "show"],
  nft: ["nft", "--stateless", "list", "ruleset"],
  iptables: ["iptables-save"],
  networks: ["docker", "-H", "unix:///run/docker.sock", "network", "ls", "--format", "{{.Name}}"],
  processes: ["sh", "-c", "ps -eo comm | grep -E 'wireguard|^wg' || true"],
};

/** The engine adds these IPv6 routes for its own bridge with its first container, and keeps them. */
const ofEngine = /^(?:local |multicast )?f[ef]\S* dev docker0 /;

/** The lines of each command, sorted, without counters and without numbers that the kernel assigns. */
export async function traceOf(host: Host): Promise<Record<string, string[]>> {
  const trace: Record<string, string[]> = {};
  for (const [name, words] of Object.entries(looks)) {
    const { code, stdout, stderr } = await host.exec(words);
    if (code !== 0) throw new LabError(`Cannot read ${name} of ${host.name}: ${stderr}`);
    const lines = stdout.split("\n").map((line) =>
      line
        .replace(/^\d+: /, "")
        .replace(/\[\d+:\d+\]/, "")
        .replace(/ packets \d+ bytes \d+/, "")
        .replace(/@if\d+/, "")
        .replace(/\bstate \w+|<[^>]*>|\blinkdown\b|link\/ether \S+/g, "")
        .trim(),
    );
    trace[name] = lines
      .filter((line) => line !== "" && !line.startsWith("#") && !ofEngine.test(line))
      .sort();
  }
  return trace;
}
