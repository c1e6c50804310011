/**
 * Shop: a realistic stack, and what must be reachable in it from where.
 *
 *   const shop = await Shop.open(mesh, { database: 2, at: 3 });
 *   await shop.right(5000);       tries every name and port from every container and every host
 *
 * The expected answers follow from the file alone: a container resolves a service's name if they share
 * a network, and a task of that service answers. Running containers are read from the engines.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { deadlineMs, healthSeconds, type Machine } from "../hosts/machine.ts";
import {
  type Answer,
  askAt,
  askingSocketOf,
  askingSocketOn,
  type Container,
  containersOf,
  type Question,
} from "../load/echo.ts";
import { type Host, LabError } from "./lab.ts";
import type { LabMesh } from "./lab-mesh.ts";
import { mustDocker } from "./must-docker.ts";

const stack = "shop";
const healthSecondsLeast = 2;
const pollMs = 50;
const lookEveryMs = 1000;
/** How many of the last looks' complaints an error shows. */
const looksShown = 2;
const complaintsShown = 12;

/** The networks of each compose service. */
const services: Readonly<Record<string, readonly string[]>> = {
  proxy: ["front"],
  web: ["front", "back"],
  api: ["back", "data"],
  worker: ["back", "data"],
  db: ["data"],
};
/** Other names of services, and the networks in which they resolve. */
const aliases: Readonly<Record<string, { readonly service: string; readonly network: string }>> = {
  rest: { service: "api", network: "back" },
  postgres: { service: "db", network: "data" },
};
const replicas: Readonly<Record<string, number>> = { proxy: 2, web: 6, api: 4, worker: 2, db: 1 };
const ports = [
  { ask: "http", port: 8080, service: "proxy" },
  { ask: "http", port: 8081, service: "web" },
  { ask: "udp", port: 8081, service: "web" },
] as const;

export interface ShopOptions {
  /** Host with the database's volume. */
  readonly database: number;
  /** Host to which the stack is given. */
  readonly at: number;
}

/** One question, and a function that says what is wrong with its answer, or undefined. */
interface Check {
  readonly question: Question;
  /** `to(name)` is the answer for another name, from the same place in the same look. */
  readonly wrong: (answer: Answer, to: (name: string) => Answer | undefined) => string | undefined;
}

export class Shop {
  readonly #mesh: LabMesh;
  /** Only ends a test that would never end. */
  readonly #patienceMs: number;
  /** A later answer does not count. */
  readonly #answerMsMax: number;

  private constructor(mesh: LabMesh) {
    const { machine } = mesh.lab;
    this.#mesh = mesh;
    this.#patienceMs = deadlineMs(machine, 60_000, { containers: 100 });
    this.#answerMsMax = deadlineMs(machine, 1700, { containers: 3 });
  }

  /** Resolves when all replicas run and the job is done. */
  static async open(mesh: LabMesh, options: ShopOptions): Promise<Shop> {
    const { database, at } = options;
    const shop = new Shop(mesh);
    const host = mesh.lab.host(at);
    writeFileSync(
      join(host.folder, "home/shop.yml"),
      fileOf(mesh.lab.host(database).name, healthEverySeconds(mesh.lab.machine)),
    );
    const file = join(host.folder, "home/shop.yml");
    await mustDocker(host, ["stack", "deploy", "--resolve-image", "never", "-c", file, stack]);
    for (const [name, count] of Object.entries(replicas)) {
      await mesh.running(host, `${stack}_${name}`, count, [], shop.#patienceMs);
    }
    await mesh.until("the job is done", shop.#patienceMs, async () => {
      const tasks = await mesh.tasks(host, `${stack}_migrate`);
      return tasks.some(({ Status }) => Status.State === "complete");
    });
    return shop;
  }

  /**
   * Milliseconds until the start of the first look that found everything right. `without`: hosts that cannot
   * be reached. Errors: LabError with what was still wrong after `withinMs`.
   */
  async right(withinMs: number, without: readonly number[] = []): Promise<number> {
    const beganMs = performance.now();
    const elapsedMs = (): number => performance.now() - beganMs;
    const seen: { readonly lookMs: number; readonly wrong: readonly string[] }[] = [];
    const look = async (): Promise<void> => {
      const lookMs = elapsedMs();
      const wrong = await this.wrong(without).catch((cause: unknown) => {
        if (!(cause instanceof LabError)) throw cause;
        return [cause.message];
      });
      seen.push({ lookMs, wrong });
    };
    const rightMs = (): number | undefined => {
      const right = seen.filter(({ wrong }) => wrong.length === 0);
      return right.sort((a, b) => a.lookMs - b.lookMs)[0]?.lookMs;
    };
    // A look waits for missing answers, and meanwhile its list of tasks gets old. So the next look starts
    // without waiting for it. The one after that waits, to leave the hosts enough time.
    let last = Promise.resolve();
    while (rightMs() === undefined && elapsedMs() <= withinMs) {
      const [looking, before] = [look(), last];
      last = looking;
      await Promise.race([looking, pause(lookEveryMs)]);
      await Promise.all([before, pause(pollMs)]);
    }
    await last;
    const foundMs = rightMs();
    if (foundMs !== undefined) return foundMs;
    const told = seen.map(({ lookMs, wrong }, index) => {
      const shown = index < seen.length - looksShown ? [] : wrong.slice(0, complaintsShown);
      return [`  after ${lookMs.toFixed(0)} ms ${wrong.length} wrong`, ...shown].join("\n    ");
    });
    throw new LabError(`Still wrong after ${withinMs} ms\n${told.join("\n")}`);
  }

  /**
   * The promised time after an event until names and ports are right. A network that a host recreates counts as a
   * container. Units: milliseconds.
   */
  rightMsMax(containers: number): number {
    const { machine } = this.#mesh.lab;
    const healthMs = healthEverySeconds(machine) * 1000;
    return deadlineMs(machine, 1000 + healthMs, { containers, writes: 100 });
  }

  /** Resolves when all replicas of all services are healthy, and everything is right. Errors: LabError. */
  async whole(): Promise<void> {
    await this.#mesh.until("all replicas are healthy", this.#patienceMs, async () => {
      const containers = (await Promise.all(this.#hosts([]).map(ofStack))).flat();
      return Object.entries(replicas).every(([name, count]) => {
        return containers.filter((one) => serviceOf(one) === name).length === count;
      });
    });
    await this.right(this.#patienceMs);
  }

  /** Everything that is wrong now, each with its asker and question. */
  async wrong(without: readonly number[] = []): Promise<string[]> {
    const hosts = this.#hosts(without);
    const containers = (await Promise.all(hosts.map(ofStack))).flat();
    const missing = Object.keys(services).filter(
      (name) => !containers.some((one) => serviceOf(one) === name),
    );
    const servers = new Map(containers.map((one) => [one.hostname, serviceOf(one)]));
    const found = await Promise.all([
      ...containers.map((one) => {
        const at = `${one.name.split(".").slice(0, 2).join(".")} on ${one.host.name}`;
        return this.#ask(
          at,
          () => askingSocketOf(one),
          nameChecks(serviceOf(one), containers, servers),
        );
      }),
      ...hosts.map((host) =>
        this.#ask(host.name, () => askingSocketOn(host), portChecks(hosts, servers)),
      ),
    ]);
    return [...missing.map((name) => `nothing runs for ${name}`), ...found.flat()];
  }

  /** What is wrong with published ports, which must work also while no agent runs. */
  async wrongPorts(): Promise<string[]> {
    const hosts = this.#hosts([]);
    const containers = (await Promise.all(hosts.map(ofStack))).flat();
    const servers = new Map(containers.map((one) => [one.hostname, serviceOf(one)]));
    const found = hosts.map((host) => {
      return this.#ask(host.name, () => askingSocketOn(host), portChecks(hosts, servers));
    });
    return (await Promise.all(found)).flat();
  }

  /**
   * What answers across networks and must not: addresses of tasks and services, tried from containers
   * outside of their networks.
   */
  async leaks(): Promise<string[]> {
    const containers = (await Promise.all(this.#hosts([]).map(ofStack))).flat();
    const [proxy, database] = ["proxy", "db"].map((name) => {
      return containers.find((one) => serviceOf(one) === name);
    });
    if (proxy === undefined || database === undefined) return ["proxy or db does not run"];
    const api = containers.find((one) => serviceOf(one) === "api");
    const known =
      api && (await askAt(askingSocketOf(api), [{ ask: "address", name: "db", port: 0 }]));
    const vips = known?.[0]?.addresses ?? [];
    if (vips.length === 0) return ["api does not know db"];
    const closed = (from: Container, addresses: readonly string[]): Promise<string[]> => {
      const checks = addresses.map((name): Check => {
        const question: Question = { ask: "http", name, port: 80 };
        return { question, wrong: ({ server }) => server && `${server} answers` };
      });
      return this.#ask(from.name, () => askingSocketOf(from), checks);
    };
    const [toDatabase, toProxy] = await Promise.all([
      closed(proxy, [...vips, ...Object.values(database.addresses)]),
      closed(database, Object.values(proxy.addresses)),
    ]);
    return [...toDatabase, ...toProxy];
  }

  /** The host with the most containers of the stack, without the hosts in `not`. */
  async busiest(not: readonly number[]): Promise<Host> {
    const counts = this.#hosts(not).map(async (host) => ({
      host,
      length: (await ofStack(host)).length,
    }));
    const [first] = (await Promise.all(counts)).sort((a, b) => b.length - a.length);
    if (first === undefined) throw new LabError(`Cannot choose a host: all but ${not} are off`);
    return first.host;
  }

  async close(at: Host): Promise<void> {
    await mustDocker(at, ["stack", "rm", stack]);
    await this.#mesh.until("the stack is gone", this.#patienceMs, async () => {
      const left = await Promise.all(this.#hosts([]).map(ofStack));
      return left.every(({ length }) => length === 0);
    });
  }

  /** What is wrong with the answers, each with its asker and question. */
  async #ask(at: string, socket: () => string, checks: readonly Check[]): Promise<string[]> {
    const withinMs = this.#answerMsMax;
    let answers: readonly Answer[];
    try {
      answers = await askAt(
        socket(),
        checks.map(({ question }) => ({ ...question, withinMs })),
      );
    } catch (cause) {
      if (!(cause instanceof LabError)) throw cause;
      return [`${at}: ${cause.message}`];
    }
    const to = (name: string): Answer | undefined =>
      answers[checks.findIndex(({ question }) => question.name === name)];
    return checks.flatMap(({ question, wrong }, index) => {
      const found = wrong(answers[index] ?? { trouble: "no answer" }, to);
      const { ask, name, port } = question;
      return found ? [`${at} asks ${ask} ${name}:${port}: ${found}`] : [];
    });
  }

  #hosts(without: readonly number[]): Host[] {
    return this.#mesh.lab.hosts.filter(({ isOn, number }) => isOn && !without.includes(number));
  }
}

/**
 * Checks of every name, from a container of `service`.
 *
 * Requests go only to a service's short name. Its other names are right if they have the same addresses. That
 * saves time on the tested host, since a look already has hundreds of questions.
 */
function nameChecks(
  service: string,
  containers: readonly Container[],
  servers: ReadonlyMap<string, string>,
): Check[] {
  const mine = services[service] ?? [];
  const checks: Check[] = [];
  const add = (ask: Question["ask"], name: string, wrong: Check["wrong"]): void => {
    checks.push({ question: { ask, name, port: ask === "http" ? 80 : 0 }, wrong });
  };
  for (const [target, theirs] of Object.entries(services)) {
    const known = theirs.some((network) => mine.includes(network));
    const all = containers.filter((one) => serviceOf(one) === target);
    add("http", target, known ? answersAs(target, servers) : isUnknown);
    add("address", `${stack}_${target}`, known ? isAlso(target) : isUnknown);
    add("address", `tasks.${target}`, known ? areTasks(all) : isUnknown);
  }
  for (const [name, { service: target, network }] of Object.entries(aliases)) {
    add("address", name, mine.includes(network) ? isAlso(target) : isUnknown);
  }
  return checks;
}

/** Checks of every published port, at every host and at the host's own localhost. */
function portChecks(hosts: readonly Host[], servers: ReadonlyMap<string, string>): Check[] {
  return ports.flatMap(({ ask, port, service }) =>
    ["127.0.0.1", ...hosts.map(({ address }) => address)].map((name) => ({
      question: { ask, name, port },
      wrong: answersAs(service, servers),
    })),
  );
}

function answersAs(service: string, servers: ReadonlyMap<string, string>): Check["wrong"] {
  return ({ server, addresses, trouble }) => {
    if (trouble !== undefined) return `${trouble} (at ${addresses ?? "no address"})`;
    const found = servers.get(server ?? "");
    return found === service ? undefined : `answered by ${found ?? "a stranger"}, ${server}`;
  };
}

function isAlso(name: string): Check["wrong"] {
  return ({ addresses = [], trouble }, to) => {
    if (trouble !== undefined) return trouble;
    const others = to(name)?.addresses ?? [];
    return addresses.join() === others.join() ? undefined : `${addresses}, and ${name} ${others}`;
  };
}

function areTasks(containers: readonly Container[]): Check["wrong"] {
  return ({ addresses = [], trouble }) => {
    if (trouble !== undefined) return trouble;
    const theirs = containers.map((one) => Object.values(one.addresses));
    const strange = addresses.filter((address) => !theirs.some((own) => own.includes(address)));
    if (strange.length > 0) return `${strange.join(", ")} without a running task`;
    const named = theirs.filter((own) => own.some((address) => addresses.includes(address)));
    return named.length === containers.length ? undefined : `${named.length} of ${theirs.length}`;
  };
}

// A name that is forwarded fails differently, because a lab has no other name server.
const isUnknown: Check["wrong"] = ({ addresses, trouble }) =>
  trouble === "ENOTFOUND" || trouble === "EAI_AGAIN" ? undefined : `known: ${addresses ?? trouble}`;

/** The stack's running containers that are healthy: others do not answer yet. */
async function ofStack(host: Host): Promise<Container[]> {
  const found = await containersOf(host, `com.docker.stack.namespace=${stack}`);
  return found.filter((one) => one.healthy && serviceOf(one) in services);
}

function serviceOf({ labels }: Container): string {
  return (labels["com.docker.swarm.service.name"] ?? "").slice(stack.length + 1);
}

function healthEverySeconds(machine: Machine): number {
  const containers = Object.values(replicas).reduce((sum, count) => sum + count, 0);
  return healthSeconds(machine, containers, healthSecondsLeast);
}

function fileOf(databaseHost: string, healthEverySeconds: number): string {
  return `version: "3.8"

x-defaults: &defaults
  image: gam/echo:1
  healthcheck:
    test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1/"]
    interval: ${healthEverySeconds}s
    retries: 3

services:
  proxy:
    <<: *defaults
    ports: ["8080:80"]
    networks: [front]
    deploy: { replicas: 2 }

  web:
    <<: *defaults
    ports:
      - "8081:80"
      - "8081:80/udp"
    networks: [front, back]
    deploy:
      replicas: 6
      update_config: { order: start-first, parallelism: 2 }

  api:
    <<: *defaults
    networks:
      back: { aliases: [rest] }
      data: {}
    deploy: { replicas: 4 }

  worker:
    <<: *defaults
    networks: [back, data]
    deploy:
      replicas: 2
      endpoint_mode: dnsrr

  db:
    <<: *defaults
    volumes: ["db-data:/var/lib/data"]
    networks:
      data: { aliases: [postgres] }
    deploy:
      placement: { constraints: ["node.hostname == ${databaseHost}"] }

  migrate:
    image: gam/echo:1
    command: ["node", "-e", "fetch('http://postgres/').then(({ ok }) => process.exit(ok ? 0 : 1))"]
    networks: [data]
    deploy:
      mode: replicated-job
      restart_policy: { condition: on-failure, delay: 1s }

networks:
  front:
  back:
  data:
    internal: true

volumes:
  db-data:
`;
}
