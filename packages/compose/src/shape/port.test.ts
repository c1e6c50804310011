import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePort } from "./port.ts";

const ports: readonly [spec: string, want: string | undefined][] = [
  ["80", "any>80/tcp"],
  ["8080:80", "8080>80/tcp"],
  ["8080:80/udp", "8080>80/udp"],
  ["8080:80/SCTP", "8080>80/sctp"],
  [":80", "any>80/tcp"],
  ["80-82", "any>80/tcp any>81/tcp any>82/tcp"],
  ["9000-9002:80-82", "9000>80/tcp 9001>81/tcp 9002>82/tcp"],
  ["9000-9001:80", "9000>80/tcp 9001>80/tcp"],
  ["127.0.0.1:1:2", "127.0.0.1 1>2/tcp"],
  ["[::1]:1:2", "[::1] 1>2/tcp"],
  ["127.0.0.1::2", "127.0.0.1 any>2/tcp"],
  ["9000-9003:80-82", undefined],
  ["9002-9000:80", undefined],
  ["80:99999", undefined],
  ["80:", undefined],
  ["a:80", undefined],
  ["80/icmp", undefined],
  ["80/tcp/udp", undefined],
  ["", undefined],
];
for (const [spec, want] of ports) {
  test(`parsePort() ${spec}`, () => {
    const result = parsePort(spec);
    const shown = result.ok
      ? result.ports.map(
          (port) => `${port.PublishedPort ?? "any"}>${port.TargetPort}/${port.Protocol}`,
        )
      : undefined;
    const address = result.ok && result.address !== "" ? [result.address] : [];
    assert.equal(shown && [...address, ...shown].join(" "), want);
  });
}
