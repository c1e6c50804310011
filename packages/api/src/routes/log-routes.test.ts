import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { PassThrough, Readable } from "node:stream";
import { after, before, test } from "node:test";
import { GamError } from "@gam/core";
import type { Task } from "@gam/state";
import fc from "fast-check";
import { decodeFrames, encodeFrame, type LogFrame, splitLines } from "../answers/log-frames.ts";
import { endedLog } from "../testing/fake-door.ts";
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

test("the logs of a service are those of its tasks, with their names", async () => {
  const [first, second] = await service("web");
  assert.ok(first && second);
  // The engine's form of a line with details: time, attributes of the driver, text.
  const log = (text: string): Buffer => Buffer.concat([frame(1, text), frame(2, "T  err\n")]);
  rig.door.logs.set(first.ID, endedLog(log("T a=b out\n")));
  rig.door.logs.set(second.ID, endedLog(frame(1, "T  two\n")));
  const { headers, text } = await rig.call(
    "GET",
    "/v1.44/services/web/logs?stdout=1&stderr=1&details=1&timestamps=1&tail=2",
  );
  assert.equal(headers["content-type"], "application/vnd.docker.multiplexed-stream");
  const names = ({ NodeID, ServiceID, ID }: Task): string =>
    `com.docker.swarm.node.id=${NodeID},com.docker.swarm.service.id=${ServiceID},com.docker.swarm.task.id=${ID}`;
  const got = await framesOf(Readable.from([Buffer.from(text, "latin1")]));
  assert.deepEqual(got.toSorted(), [
    [1, `T ${names(first)},a=b out\n`],
    [1, `T ${names(second)} two\n`],
    [2, `T ${names(first)} err\n`],
  ]);
});

test("a client's log options reach the engine", async () => {
  const [first] = await service("asked");
  assert.ok(first);
  const asked: object[] = [];
  rig.door.logs.set(first.ID, ({ signal: _, ...options }) => {
    asked.push(options);
    return Readable.from([]);
  });
  await rig.call("GET", `/tasks/${first.ID}/logs?stdout=1&since=1795205421&tail=7`);
  assert.deepEqual(asked, [
    {
      follow: false,
      stdout: true,
      stderr: false,
      since: "1795205421",
      until: "",
      timestamps: false,
      tail: "7",
      details: false,
    },
  ]);
});

test("a log that cannot be read is named at the end; the log of a deleted container is not", async () => {
  const [first, second] = await service("partly");
  assert.ok(first && second);
  rig.door.logs.set(first.ID, () => {
    throw new GamError("UNREACHABLE", "node host1 is not available");
  });
  const { text } = await rig.call("GET", "/services/partly/logs?stdout=1");
  assert.deepEqual(await framesOf(Readable.from([Buffer.from(text, "latin1")])), [
    [
      3,
      `warning: incomplete log stream. some logs could not be retrieved for the following reasons: task ${first.ID}: node host1 is not available`,
    ],
  ]);
});

test("the log of a service with a terminal is raw", async () => {
  const [first] = await service("tty", { TTY: true });
  assert.ok(first);
  rig.door.logs.set(first.ID, endedLog(Buffer.from("a\r\nb\r\n")));
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

test("following picks up tasks that start later, and ends with the client", async () => {
  const [first] = await service("later");
  assert.ok(first);
  const live = new PassThrough();
  rig.door.logs.set(first.ID, ({ signal }) => {
    signal.addEventListener("abort", () => live.destroy());
    return live;
  });
  const response = await follow("/services/later/logs?stdout=1&follow=1&tail=1");
  const next = async (): Promise<string> => {
    const [chunk] = (await once(response, "data")) as [Buffer];
    return chunk.subarray(8).toString();
  };
  live.write(frame(1, "one\n"));
  assert.equal(await next(), "one\n");

  const stored = rig.door.store.service(first.ServiceID);
  const [node] = rig.door.store.nodes();
  assert.ok(stored && node);
  const task = rig.door.task(stored, node.ID, { Slot: 3 });
  const tails: string[] = [];
  rig.door.logs.set(task.ID, ({ tail }) => {
    tails.push(tail);
    return Readable.from([frame(1, "three\n")]);
  });
  rig.door.apply([{ kind: "createTask", task }]);
  assert.equal(await next(), "three\n");
  assert.deepEqual(tails, ["all"]);

  const ended = once(live, "close");
  response.destroy();
  await ended;
});

test("a client that does not read holds the logs back", async () => {
  const [first] = await service("slow");
  assert.ok(first);
  let taken = 0;
  const line = frame(1, "x".repeat(16_000));
  const endless = new Readable({
    read() {
      taken += line.length;
      this.push(taken > 256 * 1024 * 1024 ? null : line);
    },
  });
  rig.door.logs.set(first.ID, () => endless);
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
