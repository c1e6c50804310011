/**
 * Name watch: asks one name server for one name repeatedly, and reports each change of the answer.
 *
 *   node test/lab/load/name-watch.ts GATEWAY NAME SECONDS
 *
 * Prints a line of JSON for each answer that differs from the one before: `atMs` by the wall clock, which
 * all hosts of a lab share, and the sorted `addresses`. Ends by itself.
 */
import { createSocket } from "node:dgram";
import { decode, encode } from "dns-packet";

const everyMs = 20;
const [gateway = "", name = "", seconds = "0"] = process.argv.slice(2);
const socket = createSocket("udp4");
let known = "";
socket.on("message", (message) => {
  const { answers = [] } = decode(message);
  const addresses = answers.flatMap((one) => (one.type === "A" ? [one.data] : [])).sort();
  if (addresses.join() === known) return;
  known = addresses.join();
  process.stdout.write(`${JSON.stringify({ atMs: Date.now(), addresses })}\n`);
});
// There is no answer while the agent is off.
socket.on("error", () => undefined);
const question = encode({ type: "query", id: 1, questions: [{ name, type: "A" }] });
const timer = setInterval(() => socket.send(question, 53, gateway), everyMs);
setTimeout(() => {
  clearInterval(timer);
  socket.close();
}, Number(seconds) * 1000);
