/**
 * Container sender: sends one packet or request from a container's network, as its processes could.
 *
 * A process inside of the container sends plain packets, with the container's rights. For packets that need a
 * raw socket, a process of the host sends from the container's network namespace, and rules there rewrite them
 * on their way out. On the link the result is the same.
 */
import type { Container } from "../load/echo.ts";
import { LabError } from "./lab.ts";
import { mustDocker } from "./must-docker.ts";

/** The source port of everything sent. Source NAT keeps it. */
export const senderPort = 45_454;

export interface Sending {
  readonly to: string;
  readonly port: number;
  /** A TCP connection. Without `tcp` and `ping`: a datagram. */
  readonly tcp?: boolean;
  /** An ICMP echo request. */
  readonly ping?: boolean;
  readonly payload?: Buffer;
  /** A source address that the container adds to its device, which needs NET_ADMIN. */
  readonly taken?: string;
  /** nft rules that rewrite the packets, to forge what a process with NET_RAW could send. */
  readonly forged?: string;
}

const programOf = ({ to, port, tcp = false, payload, taken }: Sending): string => {
  const own = JSON.stringify(taken ?? (to.includes(":") ? "::" : "0.0.0.0"));
  if (tcp) {
    return `const socket = require("node:net").connect({ host: "${to}", port: ${port}, localPort: ${senderPort}, localAddress: ${own} });
      socket.on("error", () => undefined);
      setTimeout(() => { socket.resetAndDestroy(); process.exit(); }, 500);`;
  }
  const hex = (payload ?? Buffer.from("?")).toString("hex");
  return `const socket = require("node:dgram").createSocket("${to.includes(":") ? "udp6" : "udp4"}");
    socket.on("error", () => process.exit());
    socket.bind(${senderPort}, ${own}, () =>
      socket.send(Buffer.from("${hex}", "hex"), ${port}, "${to}", () => socket.close()));`;
};

/** Resolves when it is sent, or refused by the kernel. Errors: LabError when it cannot be tried. */
export async function sendFrom(container: Container, sending: Sending): Promise<void> {
  const { host, id, pid } = container;
  const { to, taken, forged, ping = false } = sending;
  const program = programOf(sending);
  if (taken !== undefined) {
    await mustDocker(host, ["exec", id, "ip", "addr", "add", `${taken}/32`, "dev", "eth0"], {
      engine: true,
    });
  }
  if (ping) {
    await host.docker(["exec", id, "ping", "-c", "1", "-W", "1", to], { engine: true });
  } else if (forged === undefined) {
    await mustDocker(host, ["exec", id, "node", "-e", program], { engine: true });
  } else {
    const chain = `type filter hook output priority 300; ${forged};`;
    const table = `table ip forge { chain output { ${chain} }; }`;
    const words = ["nsenter", "-t", `${pid}`, "-n"];
    for (const command of [
      ["nft", table],
      ["node", "-e", program],
      ["nft", "delete table ip forge"],
    ]) {
      const { code, stderr } = await host.exec([...words, ...command]);
      if (code !== 0) throw new LabError(`Cannot send from ${container.name}: ${stderr}`);
    }
  }
  if (taken !== undefined) {
    await mustDocker(host, ["exec", id, "ip", "addr", "del", `${taken}/32`, "dev", "eth0"], {
      engine: true,
    });
  }
}

/** A datagram inside a network. */
export interface InnerDatagram {
  readonly from: string;
  readonly to: string;
  readonly mac: string;
  readonly port: number;
  readonly bytes: number;
}

/** A frame of VXLAN in a network, with a datagram inside. Source: RFC 7348, section 5. */
export function vxlanFrame(vni: number, inner: InnerDatagram): Buffer {
  const { from, to, mac, port, bytes } = inner;
  const header = Buffer.alloc(8);
  header[0] = 8;
  header.writeUIntBE(vni, 4, 3);
  const ethernet = Buffer.concat([hex(mac), hex("02:42:00:00:00:99"), Buffer.from([8, 0])]);
  const ip = Buffer.alloc(20);
  ip[0] = 0x45;
  ip.writeUInt16BE(28 + bytes, 2);
  ip[8] = 64;
  ip[9] = 17;
  Buffer.from(from.split(".").map(Number)).copy(ip, 12);
  Buffer.from(to.split(".").map(Number)).copy(ip, 16);
  ip.writeUInt16BE(checksum(ip), 10);
  const udp = Buffer.alloc(8 + bytes);
  udp.writeUInt16BE(senderPort, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(8 + bytes, 4); // IPv4 allows it without a checksum.
  return Buffer.concat([header, ethernet, ip, udp]);
}

const hex = (mac: string): Buffer => Buffer.from(mac.replaceAll(":", ""), "hex");

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
