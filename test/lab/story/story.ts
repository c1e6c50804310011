/**
 * Story: what scripts/try shows. A mesh, a stack deployed at its second host, the loss of the leader's host.
 *
 * Decides which commands run, and what must be true afterwards, in which time. If it is not true, the
 * story ends with a LabError. Does not make the lab and does not take it down (try.ts).
 */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { blackOut, runs } from "../clusters/blackout.ts";
import { type Host, type Lab, LabError } from "../clusters/lab.ts";
import { LabMesh, type TaskRow } from "../clusters/lab-mesh.ts";
import { engineCall } from "../hosts/engine-call.ts";
import { type Narrator, seconds } from "./narrator.ts";

const stack = "demo";
const stackFile = "demo.yml";
/** On the PATH of each host, with `gam` in it. */
const programs = "home/bin";
const webPerHost = 2;
const apiPerHost = 1;
const moreWebs = 3;
const port = 8080;
/** A container's default host name is the beginning of its id. */
const containerName = /^[0-9a-f]{12}$/gm;

const commandMsMax = 60_000;
const answerMsMax = 30_000;
const runningMsMax = 60_000;
const blackoutMsMax = 60_000;
const returnMsMax = 60_000;
const checkout = join(import.meta.dirname, "../../..");

export interface StoryOptions {
  /** At least 3. All hosts have an agent and are in no mesh. */
  readonly lab: Lab;
  readonly narrator: Narrator;
  /** Whether the stack stays at the end. */
  readonly keepStack: boolean;
}

export class Story {
  readonly #lab: Lab;
  readonly #narrator: Narrator;
  readonly #keepStack: boolean;
  readonly #services: readonly string[] = [`${stack}_api`, `${stack}_web`];
  #replicas: number;

  constructor({ lab, narrator, keepStack }: StoryOptions) {
    this.#lab = lab;
    this.#narrator = narrator;
    this.#keepStack = keepStack;
    this.#replicas = lab.hosts.length * (webPerHost + apiPerHost);
  }

  /** Runs the story. Errors: LabError with the first step that failed. */
  async tell(): Promise<void> {
    const mesh = await this.#meet();
    await this.#deploy(mesh);
    const lost = await this.#lose(mesh);
    await this.#scale(mesh);
    await this.#return(mesh, lost);
    if (!this.#keepStack) await this.#remove(mesh);
  }

  async #meet(): Promise<LabMesh> {
    const { hosts } = this.#lab;
    const [first, ...others] = hosts;
    if (first === undefined) throw new LabError("Cannot tell the story: the lab has no host");
    this.#narrator.chapter("A mesh");
    for (const { folder } of hosts) {
      mkdirSync(join(folder, programs), { recursive: true });
      symlinkSync(join(checkout, "scripts/gam"), join(folder, programs, "gam"));
    }
    const said = await this.#type(first, "gam init");
    const token = /gam join (\S+)/.exec(said)?.[1];
    if (token === undefined) throw new LabError('Cannot read the token in what "gam init" said');
    for (const host of others) await this.#type(host, `gam join ${token}`);
    const mesh = await LabMesh.of(this.#lab);
    await this.#type(this.#last, "gam status");
    return mesh;
  }

  async #deploy(mesh: LabMesh): Promise<void> {
    const [, second] = this.#lab.hosts;
    if (second === undefined) throw new LabError("Cannot tell the story: the lab has one host");
    const web = this.#lab.hosts.length * webPerHost;
    const api = this.#lab.hosts.length * apiPerHost;
    this.#narrator.chapter(`A stack, deployed at ${second.name}`);
    this.#narrator.say(
      "Any host takes it. The client is Docker's own, unmodified; DOCKER_HOST is unix:///run/gam.sock",
    );
    const client = await second.exec(["docker", "--version"]);
    this.#narrator.say(
      `(${client.stdout.trim()}). Nothing is pulled: these hosts have no route to the outside.`,
    );
    this.#narrator.say("");
    writeFileSync(join(second.folder, "home", stackFile), stackText(web, api));
    await this.#type(second, `cat ${stackFile}`);
    const beganMs = performance.now();
    await this.#type(second, `docker stack deploy --resolve-image never -c ${stackFile} ${stack}`);
    const last = this.#last;
    await this.#allRun(mesh, last);
    const tookMs = performance.now() - beganMs;
    this.#narrator.fact(
      `${this.#replicas} replicas run, ${seconds(tookMs)} after the command began`,
    );
    await this.#type(last, `docker stack ps ${stack}`);
    await this.#inEngines(mesh);
    this.#narrator.chapter("Names, service addresses and published ports, across hosts");
    this.#narrator.say("Every host answers at the published port, from any replica:");
    this.#narrator.say("");
    await this.#askPort(mesh);
    this.#narrator.say(
      "A container finds the other service by its name, and all of its replicas behind it:",
    );
    this.#narrator.say("");
    await this.#askName(mesh);
  }

  /** Resolves to the lost host. */
  async #lose(mesh: LabMesh): Promise<Host> {
    const victim = this.#lab.host(await mesh.leader(this.#last));
    const left = this.#without(victim);
    const witnesses = left.slice(-2);
    const [one = "", other = ""] = witnesses.map(({ name }) => name);
    this.#narrator.chapter(`The leader's host loses power: ${victim.name}`);
    this.#narrator.say(`As ${one} and ${other} see it, each in its own copy of the state:`);
    this.#narrator.say("");
    await blackOut({
      mesh,
      victim,
      witnesses,
      services: this.#services,
      replicas: this.#replicas,
      tell: (afterMs, text) => this.#narrator.moment(afterMs, text),
      withinMs: blackoutMsMax,
    });
    this.#narrator.say("");
    await this.#type(this.#last, "docker node ls");
    await this.#type(this.#last, `docker service ps ${this.#services.join(" ")}`);
    await this.#inEngines(mesh);
    await this.#askPort(mesh);
    return victim;
  }

  async #scale(mesh: LabMesh): Promise<void> {
    const webs = this.#lab.hosts.length * webPerHost + moreWebs;
    this.#narrator.chapter("The remaining hosts work on");
    const beganMs = performance.now();
    await this.#type(this.#last, `docker service scale --detach ${stack}_web=${webs}`);
    this.#replicas += moreWebs;
    await this.#allRun(mesh, this.#last);
    const tookMs = performance.now() - beganMs;
    this.#narrator.fact(
      `${this.#replicas} replicas run, ${seconds(tookMs)} after the command began`,
    );
    await this.#type(this.#last, "docker service ls");
    await this.#inEngines(mesh);
  }

  async #return(mesh: LabMesh, lost: Host): Promise<void> {
    const asked = this.#last;
    this.#narrator.chapter(`${lost.name} comes back`);
    const beganMs = performance.now();
    const sinceMs = (): number => performance.now() - beganMs;
    this.#narrator.moment(0, "power is on, with the disk as it was");
    await lost.start();
    this.#narrator.moment(sinceMs(), "its engine answers");
    await lost.startAgent();
    this.#narrator.moment(sinceMs(), "its agent answers");
    await mesh.until(`${lost.name} is ready again`, returnMsMax, async () => {
      const nodes = await mesh.nodes(asked);
      return nodes.every(({ Status }) => Status.State === "ready");
    });
    this.#narrator.moment(sinceMs(), `${lost.name} is ready, says ${asked.name}`);
    this.#narrator.say("");
    await this.#type(lost, "gam status");
    await this.#inEngines(mesh);
  }

  async #remove(mesh: LabMesh): Promise<void> {
    this.#narrator.chapter("The stack is removed");
    await this.#type(this.#last, `docker stack rm ${stack}`);
    await mesh.until("no container is left", runningMsMax, async () => {
      const counts = await Promise.all(this.#on.map(containers));
      return counts.every(({ length }) => length === 0);
    });
    this.#narrator.fact("no container is left in any engine");
  }

  /** Checks that each host that is on answers with the name of a container, which is its id. */
  async #askPort(mesh: LabMesh): Promise<void> {
    const hosts = this.#on.map(({ name }) => name);
    const line = `for h in ${hosts.join(" ")}; do busybox wget -qO- http://$h:${port}/; done`;
    let said = "";
    await mesh.until(
      () => `${hosts.length} hosts answer at port ${port} (${said.trim()})`,
      answerMsMax,
      async () => {
        said = (await this.#last.exec(["sh", "-c", line], { timeoutMs: commandMsMax })).stdout;
        return (said.match(containerName) ?? []).length === hosts.length;
      },
    );
    await this.#type(this.#last, line);
  }

  async #askName(mesh: LabMesh): Promise<void> {
    const last = this.#last;
    const asks = `for n in 1 2 3 4 5 6; do wget -qO- http://${stack}_api/; done`;
    const one = `$(docker ps --quiet --filter name=${stack}_web | head -n 1)`;
    const said = await this.#type(
      last,
      `docker exec ${one} sh -c 'nslookup ${stack}_api; ${asks}'`,
    );
    const answers = new Set(said.match(containerName));
    const api = await mesh.tasks(last, `${stack}_api`);
    const known = new Set(
      api.map(({ Status }) => Status.ContainerStatus?.ContainerID?.slice(0, 12)),
    );
    if (answers.size === 0 || ![...answers].every((name) => known.has(name))) {
      throw new LabError(
        `Not all of these are replicas of ${stack}_api: ${[...answers].join(" ")}`,
      );
    }
  }

  /** Waits until every replica runs, in `host`'s copy of the state. */
  async #allRun(mesh: LabMesh, host: Host): Promise<void> {
    let found = 0;
    const what = (): string => `${this.#replicas} replicas run (now ${found})`;
    await mesh.until(what, runningMsMax, async () => {
      found = (await this.#running(mesh, host)).length;
      return found === this.#replicas;
    });
  }

  async #running(mesh: LabMesh, host: Host): Promise<TaskRow[]> {
    const tasks: TaskRow[] = [];
    for (const service of this.#services) tasks.push(...(await mesh.tasks(host, service)));
    return tasks.filter(runs);
  }

  /** Checks that the engines have exactly the containers in the state. */
  async #inEngines(mesh: LabMesh): Promise<void> {
    const hosts = this.#on;
    let found: string[] = [];
    await mesh.until(
      () => `engines have what the state says (${found.join(", ")})`,
      runningMsMax,
      async () => {
        const wanted = await this.#running(mesh, this.#last);
        const had = await Promise.all(hosts.map(containers));
        found = hosts.map(({ name }, index) => `${name} ${had[index]?.length ?? 0}`);
        return hosts.every(({ number }, index) => {
          const here = wanted.filter(({ NodeID }) => NodeID === mesh.ids.get(number));
          const ids = here.map(({ Status }) => Status.ContainerStatus?.ContainerID ?? "");
          return ids.sort().join() === had[index]?.sort().join();
        });
      },
    );
    this.#narrator.fact(`containers in the engines: ${found.join(", ")}`);
  }

  /** Shows the line, runs it as if typed in the host's home, and shows its answer. */
  async #type(host: Host, line: string): Promise<string> {
    this.#narrator.command(host.name, line);
    const { code, stdout, stderr } = await host.exec(["sh", "-c", `cd && ${line}`], {
      env: {
        DOCKER_HOST: "unix:///run/gam.sock",
        PATH: `${join(host.folder, programs)}:${dirname(process.execPath)}:${process.env.PATH}`,
      },
      timeoutMs: commandMsMax,
    });
    if (stdout.trim() !== "") this.#narrator.answer(stdout);
    // The client's warnings are shown only if the command fails.
    if (code === 0) return stdout;
    throw new LabError(`Cannot run "${line}" on ${host.name}: code ${code}, ${stderr.trim()}`);
  }

  #without(lost: Host): Host[] {
    return this.#lab.hosts.filter(({ number }) => number !== lost.number);
  }

  get #on(): Host[] {
    return this.#lab.hosts.filter(({ isOn }) => isOn);
  }

  /** The last host that is on: neither the first leader nor the host that got the stack. */
  get #last(): Host {
    const last = this.#on.at(-1);
    if (last === undefined) throw new LabError("Cannot tell the story: every host is off");
    return last;
  }
}

function stackText(web: number, api: number): string {
  return `version: "3.8"
services:
  web:
    image: gam/test:1
    command: serve 80
    ports: ["${port}:80"]
    deploy: { replicas: ${web} }
  api:
    image: gam/test:1
    command: serve 80
    deploy: { replicas: ${api} }
`;
}

/** Ids of the stack's containers that run in a host's engine. */
async function containers(host: Host): Promise<string[]> {
  const filters = { label: [`com.docker.stack.namespace=${stack}`] };
  const path = `/containers/json?filters=${encodeURIComponent(JSON.stringify(filters))}`;
  const { status, text } = await engineCall(host.engineSocket, { path });
  if (status !== 200) throw new LabError(`Cannot list containers of ${host.name}: ${text.trim()}`);
  return (JSON.parse(text) as { Id: string }[]).map(({ Id }) => Id);
}
