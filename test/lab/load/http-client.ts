/** HTTP client: sends the request of httpCall() (http-call.ts), which runs it in a host, and prints the answer as JSON. */
import { request as plain } from "node:http";
import { request as secure } from "node:https";
import { text } from "node:stream/consumers";
import { TLSSocket } from "node:tls";
import type { HttpAnswer, HttpQuestion } from "./http-call.ts";

const answerMsMax = 10_000;
const {
  url,
  host,
  ca,
  headers,
  method = "GET",
  body,
  isUnchecked = false,
} = JSON.parse(process.argv[2] ?? "") as HttpQuestion;
const send = url.startsWith("https:") ? secure : plain;
const call = send(url, {
  ...{ method, agent: false, servername: host, signal: AbortSignal.timeout(answerMsMax) },
  ...(ca !== undefined && { ca }),
  rejectUnauthorized: !isUnchecked,
  headers: { ...headers, host },
});
call.on("response", async (response) => {
  const { socket } = response;
  const answer: HttpAnswer = {
    status: response.statusCode ?? 0,
    headers: response.headers as HttpAnswer["headers"],
    ...(socket instanceof TLSSocket && { validTo: socket.getPeerCertificate().valid_to }),
    body: await text(response),
  };
  process.stdout.write(JSON.stringify(answer));
});
call.on("error", (cause: NodeJS.ErrnoException) => {
  process.stderr.write(cause.code ?? cause.message);
  process.exitCode = 1;
});
call.end(body);
