import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, test } from "node:test";
import type { Task } from "@gam/state";
import fc from "fast-check";
import { decodeFrames, encodeFrame, type LogFrame, splitLines } from "../logs/log-frames.ts";
import { Rig } from "../testing/rig.ts";
import { standstill } from "../testing/standstill.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.start(2);
});
after(() => rig.stop());

const frame = (stream: number, text: string): Buffer =>
  encodeFrame({ stream, payload: Buffer.from(text) });

async function framesOf(source: Readable): Promise<[number, string][]> {
  const frames: [number, string][] = [];
  for await (const { stream, payload } of decodeFrames(source)) {
    frames.push([stream, payload.toString()]);
  }
  return frames;
}

async function service(name: string, more: object = {}): Promise<readonly Task[]> {
  const { body } = await rig.call("POST", "/services/create", {
    Name: name,
    TaskTemplate: { ContainerSpec: { Image: "tiny:1", ...more } },
    Mode: { Replicated: { Replicas: 2 } },
  });
  return rig.door.store.tasksOf(body.ID);
}

test("frames are decoded wherever the stream is cut", async () => {
  const frames = fc.array(
    fc.record({ stream: fc.constantFrom(1, 2), payload: fc.uint8Array({ maxLength: 300 }) }),
    { maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(frames, fc.integer({ min: 1, max: 64 }), async (sent, size) => {
      const whole = Buffer.concat(
        sent.map(({ stream, payload }) => encodeFrame({ stream, payload: Buffer.from(payload) })),
      );
      const pieces: Buffer[] = [];
      for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size));
      const got: LogFrame[] = [];
      for await (const one of decodeFrames(Readable.from(pieces))) got.push(one);
      assert.deepEqual(
        got.map(({ stream, payload }) => [stream, [...payload]]),
        sent.map(({ stream, payload }) => [stream, [...payload]]),
      );
    }),
    { numRuns: 50 },
  );
});

test("invalid frames are refused", async () => {
  const wild = Readable.from([Buffer.from("GET / HTTP/1.1\r\n")]);
  await assert.rejects(framesOf(wild), { code: "BAD_FRAME" });
});

test("a terminal's stream is cut into lines", async () => {
  const lines: string[] = [];
  for await (const { payload } of splitLines(
    Readable.from([Buffer.from("a\nb"), Buffer.from("c\nd")]),
  )) {
    lines.push(payload.toString());
  }
  assert.deepEqual(lines, ["a\n", "bc\n", "d"]);
});

/** The engine's form of a line with a time. */
const at = (second: number, text: string): string =>
  `2026-11-20T12:00:${String(second).padStart(2, "0")}.000000000Z ${text}`;

/** Sets what the engine of the task's host answers when it is asked for its log. */
function logOf(
  task: Pick<Task, "NodeID" | "Status">,
  open: (asked: URLSearchParams) => Readable,
): void {
  const engine = rig.far.find(({ id }) => id === task.NodeID)?.engine ?? rig.engine;
  const path = `GET /containers/${task.Status.ContainerStatus?.ContainerID}/logs`;
  engine.on(path, (call, answer) => {
    const source = open(new URLSearchParams(call.url?.split("?")[1]));
    answer.writeHead(200).flushHeaders();
    answer.on("close", () => source.destroy());
    pipeline(source, answer).catch(() => undefined);
  });
}

const ended = (...frames: readonly Buffer[]): (() => Readable) => {
  return () => Readable.from([Buffer.concat(frames)]);
};

/** Answers of another host take that long to fail. */
function pullCable(): void {
  for (const { id } of rig.far) rig.door.hosts.delete(id);
}

function plugIn(): void {
  for (const { id, server } of rig.far) {
    rig.door.hosts.set(id, (stream) => server.accept(stream));
  }
}

test("the logs of a service are those of its tasks on all hosts, in order of time", async () => {
  const [first, second] = await service("web");
  assert.ok(first && second && first.NodeID !== second.NodeID);
  logOf(first, ended(frame(1, at(1, "a=b out\n")), frame(2, at(3, " err\n"))));
  logOf(second, ended(frame(1, at(2, " two\n")), frame(1, at(4, " four\n"))));
  const { headers, text } = await rig.call(
    "GET",
    "/v1.44/services/web/logs?stdout=1&stderr=1&details=1&timestamps=1&tail=2",
  );
  assert.equal(headers["content-type"], "application/vnd.docker.multiplexed-stream");
  const names = ({ NodeID, ServiceID, ID }: Task): string =>
    `com.docker.swarm.node.id=${NodeID},com.docker.swarm.service.id=${ServiceID},com.docker.swarm.task.id=${ID}`;
  assert.deepEqual(await framesOf(Readable.from([Buffer.from(text, "latin1")])), [
    [1, at(1, `${names(first)},a=b out\n`)],
    [1, at(2, `${names(second)} two\n`)],
    [2, at(3, `${names(first)} err\n`)],
    [1, at(4, `${names(second)} four\n`)],
  ]);
});

test("times that the client did not ask for are taken off", async () => {
  const [first] = await service("plain");
  assert.ok(first);
  logOf(first, ended(frame(1, at(1, "out\n")), frame(1, at(2, "a=b text\n"))));
  const { text } = await rig.call("GET", `/tasks/${first.ID}/logs?stdout=1`);
  assert.deepEqual(await framesOf(Readable.from([Buffer.from(text, "latin1")])), [
    [1, "out\n"],
    [1, "a=b text\n"],
  ]);
});

test("a client's log options reach the engine", async () => {
  const [first] = await service("asked");
  assert.ok(first);
  const asked: object[] = [];
  logOf(first, (query) => {
    asked.push(Object.fromEntries(query));
    return Readable.from([]);
  });
  await rig.call("GET", `/tasks/${first.ID}/logs?stdout=1&since=1795205421&tail=7`);
  const flags = { follow: "0", stdout: "1", stderr: "0", timestamps: "1", details: "0" };
  assert.deepEqual(asked, [{ ...flags, since: "1795205421", until: "", tail: "7" }]);
});

test("a host that does not answer is named at the end; a deleted container is not", async () => {
  const [first, second] = await service("partly");
  assert.ok(first && second);
  const here = first.NodeID === rig.door.self ? first : second;
  const there = here === first ? second : first;
  logOf(here, ended(frame(1, at(1, "here\n"))));
  pullCable();
  const { text } = await rig.call("GET", "/services/partly/logs?stdout=1");
  plugIn();
  assert.deepEqual(await framesOf(Readable.from([Buffer.from(text, "latin1")])), [
    [1, "here\n"],
    [
      3,
      `warning: incomplete log stream. some logs could not be retrieved for the following reasons: task ${there.ID}: Cannot reach the containers of host2: it is not connected`,
    ],
  ]);
  const gone = await rig.call("GET", `/tasks/${there.ID}/logs?stdout=1`);
  assert.equal(gone.text, "");
});

test("the log of a service with a terminal is raw", async () => {
  const [first] = await service("tty", { TTY: true });
  assert.ok(first);
  logOf(first, ended(Buffer.from(`${at(1, "a\r\n")}${at(2, "b\r\n")}`)));
  const { headers, text } = await rig.call("GET", "/services/tty/logs?stdout=1");
  assert.equal(headers["content-type"], "application/vnd.docker.raw-stream");
  assert.equal(text, "a\r\nb\r\n");
});

async function follow(path: string): Promise<IncomingMessage> {
  const call = request({ socketPath: rig.socketPath, path, agent: false });
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  return response;
}

async function nextText(response: IncomingMessage): Promise<string> {
  const [chunk] = (await once(response, "data")) as [Buffer];
  return chunk.subarray(8).toString();
}

test("following picks up tasks that start later, and ends with the client", async () => {
  const [first] = await service("later");
  assert.ok(first);
  const live = new PassThrough();
  logOf(first, () => live);
  const response = await follow("/services/later/logs?stdout=1&follow=1&tail=1");
  live.write(frame(1, at(1, "one\n")));
  assert.equal(await nextText(response), "one\n");

  const stored = rig.door.store.service(first.ServiceID);
  const [node] = rig.door.store.nodes();
  assert.ok(stored && node);
  const task = rig.door.task(stored, node.ID, { Slot: 3 });
  const tails: (string | null)[] = [];
  logOf(task, (asked) => {
    tails.push(asked.get("tail"));
    return Readable.from([frame(1, at(2, "three\n"))]);
  });
  rig.door.apply([{ kind: "createTask", task }]);
  assert.equal(await nextText(response), "three\n");
  assert.deepEqual(tails, ["all"]);

  const closed = once(live, "close");
  response.destroy();
  await closed;
});

test("following names a host that is lost, and reads on when it is back", async () => {
  const [first, second] = await service("blink");
  const task = [first, second].find(({ NodeID } = {} as Task) => NodeID === rig.far[0]?.id);
  assert.ok(task);
  const sinces: (string | null)[] = [];
  let live = new PassThrough();
  logOf(task, (asked) => {
    sinces.push(asked.get("since"));
    live = new PassThrough();
    live.write(frame(1, at(1, "one\n")));
    if (sinces.length > 1) live.write(frame(1, at(2, "two\n")));
    return live;
  });
  const response = await follow("/services/blink/logs?stdout=1&follow=1");
  assert.equal(await nextText(response), "one\n");
  pullCable();
  live.destroy(new Error("the host is lost"));
  assert.match(await nextText(response), /^warning: lines are missing. /);
  plugIn();
  assert.equal(await nextText(response), "two\n");
  assert.deepEqual(sinces, ["", "1795176001.000000000"]);
  response.destroy();
});

test("a client that does not read holds the logs back", async () => {
  const [first] = await service("slow");
  assert.ok(first);
  let taken = 0;
  const line = frame(1, at(1, `${"x".repeat(16_000)}\n`));
  const endless = new Readable({
    read() {
      taken += line.length;
      this.push(taken > 256 * 1024 * 1024 ? null : line);
    },
  });
  logOf(first, () => endless);
  const response = await follow(`/tasks/${first.ID}/logs?stdout=1`);
  await standstill(() => taken);
  response.destroy();
  assert.ok(taken < 32 * 1024 * 1024, `${taken} bytes taken`);
});

test("an invalid number of lines is refused", async () => {
  await service("short");
  for (const tail of ["-1", "some"]) {
    const answer = await rig.call("GET", `/services/short/logs?stdout=1&tail=${tail}`);
    assert.deepEqual(
      [answer.status, answer.body.message],
      [500, 'tail value must be a positive integer or "all"'],
    );
  }
});
