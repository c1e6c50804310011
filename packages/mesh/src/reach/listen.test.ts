import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { listen } from "./listen.ts";

test("listen() names the process that has the port", async (t) => {
  const program = `const server = require("node:net").createServer();
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [said] = await once(child.stdout, "data");
  const port = Number(String(said));
  // What libp2p says.
  const taken = new Error(`listen EADDRINUSE: address already in use 127.0.0.1:${port}\n  at …`);
  const libp2p = { start: () => Promise.reject(taken), getMultiaddrs: () => [] };
  await assert.rejects(listen(libp2p, { host: "127.0.0.1", port }), {
    code: "IN_USE",
    message: `Cannot listen on "127.0.0.1:${port}": process ${child.pid} (node) listens there. End it ("kill ${child.pid}"). On a host in no mesh, GAM_LISTEN gives the agent another port`,
  });
});
