import assert from "node:assert/strict";
import { test } from "node:test";
import type { VolumeSummary } from "@gam/state/answers";
import { columns } from "../columns.ts";
import { volumeRows } from "./volume-rows.ts";

const on = (host: string, state = "ready", ...users: string[]) => ({ host, state, users });
const move = { id: "m", from: "host1", to: "host2", bytes: 5 << 20, totalBytes: 20 << 20 };

test("volumes are listed with their hosts, their users and what is the matter", () => {
  const volumes: readonly VolumeSummary[] = [
    { name: "shop_db", homes: [on("host1", "down", "shop_db.1")], leftovers: ["host3"] },
    { name: "many", homes: [on("host1", "ready", "c.1", "c.4"), on("host2")], leftovers: [] },
    { name: "moving", homes: [on("host1", "ready", "x.1")], move, leftovers: [] },
    { name: "gone", homes: [], leftovers: [], lostWith: "host9" },
    {
      name: "failed",
      homes: [on("host1", "ready", "y.1")],
      lastMove: { id: "m", from: "host1", to: "host2", error: "host2 is down" },
      leftovers: [],
    },
  ];
  assert.deepEqual(columns(volumeRows(volumes)), [
    "VOLUME   HOST   USED BY    NOTE",
    "shop_db  host1  shop_db.1  host is down; data of an earlier move is left on host3",
    "many     host1  c.1, c.4",
    "many     host2  -",
    "moving   host1  x.1        moving from host1 to host2: 5 of 20 MiB",
    "gone     -      -          was on host9, which was removed",
    "failed   host1  y.1        move to host2 failed: host2 is down",
  ]);
});
