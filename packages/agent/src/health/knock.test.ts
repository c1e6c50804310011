import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { knock } from "./knock.ts";

test("knock() tells a port that is open from a refused one, and takes the best of several", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const open = `127.0.0.1:${address.port}`;
  // Nothing listens at port 1 of this address.
  const refused = "127.0.0.77:1";
  t.after(() => server.close());
  assert.equal(await knock([open]), "open");
  assert.equal(await knock([refused]), "refused");
  assert.equal(await knock([refused, open]), "open");
  assert.equal(await knock(["nowhere.invalid:1"]), "silent");
  assert.equal(await knock([]), "silent");
});
