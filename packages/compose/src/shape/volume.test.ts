import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVolume } from "./volume.ts";

const at = { file: "f", line: 1, column: 1 };
const volumes: readonly [spec: string, want: object | undefined][] = [
  ["/data", { type: "volume", target: "/data" }],
  ["name:/data", { type: "volume", source: "name", target: "/data" }],
  ["./here:/data", { type: "bind", source: "./here", target: "/data" }],
  ["~/x:/data", { type: "bind", source: "~/x", target: "/data" }],
  ["/a:/b:ro", { type: "bind", source: "/a", target: "/b", read_only: true }],
  ["/a:/b:rw", { type: "bind", source: "/a", target: "/b", read_only: false }],
  ["v:/b:nocopy", { type: "volume", source: "v", target: "/b", volume: { at, nocopy: true } }],
  [
    "/a:/b:ro,rslave,z",
    {
      type: "bind",
      source: "/a",
      target: "/b",
      read_only: true,
      bind: { at, propagation: "rslave" },
    },
  ],
  ["C:/data:/b:ro", { type: "bind", source: "C:/data", target: "/b", read_only: true }],
  ["C:\\data:/b", { type: "bind", source: "C:\\data", target: "/b" }],
  ["a:b:c:d", undefined],
  ["a::b", undefined],
  ["", undefined],
];
for (const [spec, want] of volumes) {
  test(`parseVolume() ${spec}`, () => {
    assert.deepEqual(parseVolume(spec, at), want && { at, ...want });
  });
}
