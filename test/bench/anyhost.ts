/**
 * Any host: what a container on another host costs beside one of the asked host, and beside the mesh alone.
 *
 *   node test/bench/anyhost.ts [--rounds 5] [--megabytes 1000] [--lab 94] [--check]
 *
 * Three hosts. A peer that does not lead is asked over its socket, as clients do. In each round:
 * - the time from the creation of an exec until the first byte of its output, on another host and on this one;
 * - the bytes a second of `docker cp` (the archive calls) of one large file, from another host and to it, and from
 *   this host and to it;
 * - the bytes a second of a bare stream of the mesh between two processes on the same two hosts (support/mesh-stream.ts).
 * RSS of both agents is read every 50 ms during the copies.
 */
import { readFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type Host, Lab, LabError } from "../lab/clusters/lab.ts";
import { LabMesh } from "../lab/clusters/lab-mesh.ts";
import { mustDocker } from "../lab/clusters/must-docker.ts";
import { print, printRatio } from "./support/figures.ts";
import { benchOptions } from "./support/options.ts";

const { rounds, megabytes, lab: number } = benchOptions({ rounds: 5, megabytes: 1000, lab: 94 });
const mega = 1_000_000;
const sampleMs = 50;
const tarBlockBytes = 512;
const pieceBytes = 64 * 1024;
const execsPerRound = 20;
const ready = /READY (\S+)/;

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly stream?: NodeJS.ReadableStream;
}

/** Resolves to the answer, as soon as it begins. Errors: LabError for a refusal. */
async function open(host: Host, { method, path, body, stream }: Call): Promise<IncomingMessage> {
  return await new Promise((settle, fail) => {
    const headers = { "Content-Type": stream ? "application/x-tar" : "application/json" };
    const call = request({ socketPath: host.agentSocket, method, path, headers, agent: false });
    call.on("error", fail);
    call.on("response", (response) => {
      if ((response.statusCode ?? 500) < 400) return settle(response);
      fail(new LabError(`Cannot ${method} ${path} at ${host.name}: ${response.statusCode}`));
    });
    if (stream === undefined) call.end(body && JSON.stringify(body));
    else stream.pipe(call);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString();
  return text;
}

/** Milliseconds from the creation of an exec until the first byte of its output. */
async function firstByteMs(host: Host, container: string): Promise<number> {
  const startMs = performance.now();
  const exec = { AttachStdout: true, Cmd: ["echo", "x"] };
  const made = await open(host, {
    ...{ method: "POST", path: `/containers/${container}/exec`, body: exec },
  });
  const { Id } = JSON.parse(await textOf(made)) as { Id: string };
  const output = await open(host, {
    ...{ method: "POST", path: `/exec/${Id}/start`, body: { Detach: false, Tty: false } },
  });
  for await (const _ of output as AsyncIterable<Buffer>) break;
  return performance.now() - startMs;
}

/** The highest RSS of the agents until the returned function is called, in MiB. */
function watchRss(hosts: readonly Host[]): () => number {
  let most = 0;
  const look = (): void => {
    for (const { agentPid } of hosts) {
      const status = readFileSync(`/proc/${agentPid}/status`, "utf8");
      most = Math.max(most, Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024);
    }
  };
  look();
  const timer = setInterval(look, sampleMs);
  return () => {
    clearInterval(timer);
    return most;
  };
}

/** Bytes a second of the whole answer, in MB. */
async function downMBs(host: Host, path: string): Promise<number> {
  const startMs = performance.now();
  const answer = await open(host, { method: "GET", path });
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) bytes += chunk.length;
  return bytes / mega / ((performance.now() - startMs) / 1000);
}

/** Bytes a second of a file that the client sends into a container, in MB. */
async function upMBs(host: Host, path: string): Promise<number> {
  const startMs = performance.now();
  const stream = Readable.from(archive("big", megabytes * mega), { objectMode: false });
  await textOf(await open(host, { method: "PUT", path, stream }));
  return megabytes / ((performance.now() - startMs) / 1000);
}

/** A tar archive with one file of zeros. */
function* archive(name: string, bytes: number): Generator<Buffer> {
  const header = Buffer.alloc(tarBlockBytes);
  const write = (text: string, at: number): void => void header.write(text, at, "latin1");
  write(name, 0);
  write("0000644\0", 100);
  write(`${bytes.toString(8).padStart(11, "0")} `, 124);
  write("        0", 148);
  write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  yield header;
  const piece = Buffer.alloc(pieceBytes);
  const padded = Math.ceil(bytes / tarBlockBytes) * tarBlockBytes + 2 * tarBlockBytes;
  for (let left = padded; left > 0; left -= piece.length) yield piece.subarray(0, left);
}

/** Bytes a second of a bare stream of the mesh, in MB: two processes, one on each host. */
async function bareMBs(from: Host, to: Host, round: number): Promise<number> {
  const program = join(import.meta.dirname, "support/mesh-stream.ts");
  const server = await from.spawn(`bare-stream-${round}`, ["node", program, "serve", from.address]);
  try {
    let token: string | undefined;
    // Before it has started, its log does not exist or is empty.
    while (token === undefined && server.running) {
      token = ready.exec(readFileSync(server.log, "utf8"))?.[1];
      await new Promise((resolve) => setTimeout(resolve, sampleMs));
    }
    const words = ["node", program, "read", to.address, token ?? "", String(megabytes)];
    const { code, stdout, stderr } = await to.exec(words);
    if (code !== 0) throw new LabError(`Cannot measure a bare stream: ${stderr}`);
    return Number(stdout);
  } finally {
    server.kill("SIGKILL");
    await server.ended();
  }
}

const lab = await Lab.up({ hosts: 3, number, agents: true });
try {
  const mesh = await LabMesh.form(lab);
  const leader = await mesh.leader(lab.host(1));
  const [asked, owner] = lab.hosts.filter((host) => host.number !== leader) as [Host, Host];
  for (const [host, name] of [
    [asked, "near"],
    [owner, "far"],
  ] as const) {
    await mustDocker(host, ["run", "-d", "--name", name, "gam/test:1"]);
    const make = `head -c ${megabytes * mega} /dev/zero > /tmp/big`;
    await mustDocker(host, ["exec", name, "sh", "-c", make]);
  }
  const big = (name: string): string => `/containers/${name}/archive?path=/tmp/big`;
  const into = (name: string): string => `/containers/${name}/archive?path=/tmp`;
  const figures = {
    far: [] as number[],
    near: [] as number[],
    down: [] as number[],
    own: [] as number[],
    ownUp: [] as number[],
    up: [] as number[],
    bare: [] as number[],
    before: [] as number[],
    during: [] as number[],
  };
  for (const name of ["near", "far"]) await firstByteMs(asked, name);
  await downMBs(asked, big("far"));
  for (let round = 0; round < rounds; round += 1) {
    for (let n = 0; n < execsPerRound; n += 1) {
      figures.near.push(await firstByteMs(asked, "near"));
      figures.far.push(await firstByteMs(asked, "far"));
    }
    figures.bare.push(await bareMBs(owner, asked, round));
    figures.before.push(watchRss([asked, owner])());
    const stop = watchRss([asked, owner]);
    try {
      figures.own.push(await downMBs(asked, big("near")));
      figures.down.push(await downMBs(asked, big("far")));
      figures.ownUp.push(await upMBs(asked, into("near")));
      figures.up.push(await upMBs(asked, into("far")));
    } finally {
      figures.during.push(stop());
    }
  }
  print("first byte of an exec on this host", figures.near, "ms");
  print("first byte of an exec on another host", figures.far, "ms");
  const later = figures.far.map((ms, at) => ms - (figures.near[at] ?? 0));
  print("first byte of an exec: another host after this one", later, "ms", { most: 50 });
  print("a bare stream of the mesh", figures.bare, "MB/s");
  print("docker cp from this host", figures.own, "MB/s");
  print("docker cp to this host", figures.ownUp, "MB/s");
  print("docker cp from another host", figures.down, "MB/s");
  print("docker cp to another host", figures.up, "MB/s");
  for (const [way, samples] of [
    ["from", figures.down],
    ["to", figures.up],
  ] as const) {
    const what = `docker cp ${way} another host, to a bare stream`;
    printRatio(what, samples, figures.bare, { least: 0.8 });
  }
  print("RSS of an agent before a copy", figures.before, "MiB");
  printRatio("RSS of an agent during copies, to before", figures.during, figures.before, {
    most: 1.3,
  });
} finally {
  await Lab.down(number);
}
