/**
 * Old engine: a socket that passes every call to the engine, and answers /version as an engine of 2019 does.
 *
 *   node old-engine.ts /run/old.sock /run/docker.sock
 */
import { createServer, request } from "node:http";

const [at = "", engine = ""] = process.argv.slice(2);

createServer((call, answer) => {
  if (call.url?.split("?")[0]?.endsWith("/version")) {
    answer.setHeader("content-type", "application/json");
    answer.end(JSON.stringify({ Version: "19.03.15", ApiVersion: "1.40" }));
    return;
  }
  const { method, url, headers } = call;
  const passed = request({ socketPath: engine, method, path: url, headers }, (found) => {
    answer.writeHead(found.statusCode ?? 500, found.headers);
    found.pipe(answer);
  });
  passed.on("error", () => answer.destroy());
  call.pipe(passed);
}).listen(at);
