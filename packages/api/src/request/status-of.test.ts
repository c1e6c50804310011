import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { GamError } from "@gam/core";
import { ApiError, asInner, errorResponseOf } from "./api-error.ts";
import { statusOf } from "./status-of.ts";

test("docs/errors.md lists every code with its status", () => {
  const text = readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");
  const rows = text.matchAll(/^\| ([A-Z_]+) \| (\d+) \| \S.* \| \S.* \|$/gm);
  const listed = Object.fromEntries([...rows].map(([, code, status]) => [code, Number(status)]));
  assert.deepEqual(listed, { ...statusOf });
});

const cases: readonly { name: string; thrown: unknown; status: number; message: string }[] = [
  {
    name: "a code has its status",
    thrown: new GamError("NOT_FOUND", "network x not found"),
    status: 404,
    message: "network x not found",
  },
  {
    name: "an inner code of Swarm's overrides it",
    thrown: new GamError("BAD_REQUEST", "rpc error: code = Unknown desc = odd"),
    status: 500,
    message: "rpc error: code = Unknown desc = odd",
  },
  {
    name: "an unknown inner code is ignored",
    thrown: new GamError("BAD_REQUEST", "rpc error: code = Odd desc = odd"),
    status: 400,
    message: "rpc error: code = Odd desc = odd",
  },
  { name: "a refusal has its own", thrown: new ApiError(418, "no"), status: 418, message: "no" },
  { name: "a bug is the server's", thrown: new Error("oh"), status: 500, message: "oh" },
  {
    name: "a lost race has the form of Swarm's manager",
    thrown: asInner(new GamError("STALE_VERSION", "update out of sequence")),
    status: 500,
    message: "rpc error: code = Unknown desc = update out of sequence",
  },
];

for (const { name, thrown, status, message } of cases) {
  test(`answerOf(): ${name}`, () => assert.deepEqual(errorResponseOf(thrown), { status, message }));
}
