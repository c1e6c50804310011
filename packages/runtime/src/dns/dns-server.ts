/**
 * DNS server: answers DNS queries at the gateways of this node, from the plan.
 *
 *   const server = new DnsServer({ log });
 *   server.serve(plan.dns);      // for each new plan; a changed name applies from the next query on
 *   server.problems;             // sentences for people
 *   await server.close();
 *
 * Decides only at which addresses to listen. name-answer.ts decides who may know which name. forwarder.ts asks the
 * host's own servers for names that gam does not know.
 */
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { type Clock, messageOf, type Random, rethrowInvariant } from "@gam/core";
import type { DnsPlan } from "@gam/network";
import type { Upstream } from "./ask-upstream.ts";
import { DnsListener, type Reply, type Transport, transports } from "./dns-listener.ts";
import { type DnsQuery, rcode, readQuery } from "./dns-message.ts";
import { writeForwarded } from "./forwarded-answer.ts";
import { Forwarder, type Found } from "./forwarder.ts";
import { type DnsClient, NameBook } from "./name-answer.ts";
import { ResolvConf } from "./resolv-conf.ts";
import { tcpBytesMax, udpLimit, writeAnswer, writeRefusal } from "./write-answer.ts";

const dnsPort = 53;
/** The engine's resolver inside of containers. It would ask this server again. */
const engineResolver = "127.0.0.11";
/** Key of the problem "a query could not be answered". */
const unanswered = "unanswered";

export interface DnsServerOptions {
  readonly log: DnsLog;
  /** Default: the servers in the current /etc/resolv.conf. */
  readonly upstreams?: () => Promise<readonly Upstream[]>;
  /** Default 53. */
  readonly port?: number;
}

/** The name servers of a container whose resolver's queries come here instead. */
export interface RedirectedServers {
  readonly servers: readonly Upstream[];
  /**
   * It is the engine's resolver in the container. It asks the host's servers itself, and an address of a
   * container changes long before its answer is out of date.
   */
  readonly isEngine: boolean;
}

interface Way {
  readonly servers: readonly Upstream[];
  /** The host's servers are not asked after them. */
  readonly isAlone: boolean;
  readonly isUncached: boolean;
}

export interface DnsLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

const clock: Pick<Clock, "monotonicMs"> = { monotonicMs: () => performance.now() };
const random: Random = { below: (bound) => Math.floor(Math.random() * bound) };

export class DnsServer {
  readonly #log: DnsLog;
  readonly #port: number;
  readonly #hostServers: () => Promise<readonly Upstream[]>;
  /** By the name servers that the forwarder asks; "" for the host's own. */
  readonly #forwarders = new Map<string, Forwarder>();
  readonly #listeners = new Map<string, DnsListener>();
  /** Address and transport to the problem's sentence. */
  readonly #problems = new Map<string, string>();
  #ownAddresses: ReadonlySet<string> = new Set();
  /** Container address to the key of its forwarder. */
  #upstreams: ReadonlyMap<string, string> = new Map();
  #planned: ReadonlyMap<string, readonly string[]> = new Map();
  #redirected: ReadonlyMap<string, RedirectedServers> = new Map();
  #names = new NameBook({ zones: [], clients: new Map(), confined: new Set() }, random);

  constructor({ log, upstreams, port = dnsPort }: DnsServerOptions) {
    this.#log = log;
    this.#port = port;
    const file = new ResolvConf();
    const servers = upstreams ?? (() => file.servers());
    this.#hostServers = servers;
    this.#forwarders.set("", this.#forwarderTo(servers));
  }

  /** Sentences for people, sorted. An address that the bridge does not have yet is not a problem. */
  get problems(): readonly string[] {
    return [...this.#problems.values()].sort();
  }

  serve(plan: DnsPlan): void {
    this.#ownAddresses = ownAddresses() ?? this.#ownAddresses;
    this.#names = new NameBook(plan, random);
    this.#problems.delete(unanswered);
    this.#planned = plan.upstreams ?? new Map();
    this.#chooseForwarders();
    const gateways = new Set(plan.zones.map(({ gateway }) => gateway));
    for (const [address, listener] of this.#listeners) {
      if (gateways.has(address)) continue;
      this.#listeners.delete(address);
      for (const transport of transports) this.#problems.delete(`${address} ${transport}`);
      void listener.close();
    }
    for (const address of gateways) {
      if (!this.#listeners.has(address)) this.#listeners.set(address, this.#listen(address));
    }
  }

  /**
   * Sets the name servers of containers whose resolvers ask here instead: address to servers. The host's own
   * servers are asked when these do not answer: one of them may be a gateway of a network that the container left.
   */
  redirect(upstreams: ReadonlyMap<string, RedirectedServers>): void {
    this.#redirected = upstreams;
    this.#chooseForwarders();
  }

  async close(): Promise<void> {
    for (const forwarder of this.#forwarders.values()) forwarder.close();
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    await Promise.all(listeners.map((listener) => listener.close()));
  }

  #chooseForwarders(): void {
    const wanted = new Map<string, Way>();
    const upstreams = new Map<string, string>();
    const add = (from: string, way: Way): void => {
      const key = way.servers.length === 0 ? "" : JSON.stringify(way);
      upstreams.set(from, key);
      if (key !== "") wanted.set(key, way);
    };
    for (const [from, { servers, isEngine }] of this.#redirected) {
      add(from, { servers, isAlone: isEngine, isUncached: isEngine });
    }
    for (const [from, to] of this.#planned) {
      const servers = addressesIn(to).map((address) => ({ address, port: dnsPort }));
      add(from, { servers, isAlone: true, isUncached: false });
    }
    this.#upstreams = upstreams;
    for (const [key, forwarder] of this.#forwarders) {
      if (key === "" || wanted.has(key)) continue;
      this.#forwarders.delete(key);
      forwarder.close();
    }
    for (const [key, { servers, isAlone, isUncached }] of wanted) {
      if (this.#forwarders.has(key)) continue;
      const more = isAlone ? async () => [] : this.#hostServers;
      const all = async (): Promise<readonly Upstream[]> => [...servers, ...(await more())];
      this.#forwarders.set(key, this.#forwarderTo(all, isUncached));
    }
  }

  #listen(address: string): DnsListener {
    return new DnsListener({
      address,
      port: this.#port,
      answer: (message, from, transport) => this.#reply(message, { from, at: address }, transport),
      onProblem: (transport, problem) => this.#told(address, transport, problem),
    });
  }

  /** Never throws or rejects: a message that fails gets no answer, and the others are answered. */
  #reply(message: Buffer, asker: DnsClient, transport: Transport): Reply | Promise<Reply> {
    try {
      const reply = this.#answer(message, asker, transport);
      // Catches all: a packet from a container must not end the agent.
      return reply instanceof Promise ? reply.catch((thrown) => this.#failed(thrown)) : reply;
    } catch (thrown) {
      // Catches all: for the same reason.
      return this.#failed(thrown);
    }
  }

  #failed(thrown: unknown): undefined {
    const problem = `Cannot answer DNS query: ${messageOf(thrown)}`;
    if (this.#problems.get(unanswered) === problem) return;
    this.#problems.set(unanswered, problem);
    this.#log.warn({}, problem);
  }

  #answer(message: Buffer, asker: DnsClient, transport: Transport): Reply | Promise<Reply> {
    const query = readQuery(message);
    if (query === undefined) return undefined;
    if ("rcode" in query) return writeRefusal(query);
    const bytesMax = transport === "udp" ? udpLimit(query) : tcpBytesMax;
    // The host itself may ask in any network. The engine's NAT may give it another of its own addresses.
    const inside = this.#ownAddresses.has(asker.from) ? { ...asker, from: asker.at } : asker;
    const answer = this.#names.answer(query, inside);
    if (answer !== "forward") return writeAnswer(query, answer, bytesMax);
    const forwarder = this.#forwarders.get(this.#upstreams.get(asker.from) ?? "");
    const found = forwarder?.resolve(query, asker.from);
    return found instanceof Promise
      ? found.then((one) => forwarded(query, one, bytesMax))
      : forwarded(query, found, bytesMax);
  }

  #told(address: string, transport: Transport, problem: string | undefined): void {
    const key = `${address} ${transport}`;
    if (this.#problems.get(key) === problem) return;
    if (problem === undefined) {
      this.#problems.delete(key);
      this.#log.info({ address, transport }, "DNS listener started");
    } else {
      this.#problems.set(key, problem);
      this.#log.warn({ address, transport }, problem);
    }
  }

  #forwarderTo(servers: () => Promise<readonly Upstream[]>, isUncached = false): Forwarder {
    const upstreams = async (): Promise<readonly Upstream[]> =>
      (await servers()).filter((one) => !this.#isSelf(one));
    return new Forwarder({ upstreams, clock, isUncached });
  }

  #isSelf({ address }: Upstream): boolean {
    return address === engineResolver || this.#listeners.has(address);
  }
}

/**
 * Drops what is not an address, which a spec from before that check may have. With none left, the host's are
 * asked.
 */
function addressesIn(servers: readonly string[]): readonly string[] {
  return servers.filter((server) => isIP(server) !== 0);
}

/** `undefined` when the kernel does not list them. */
function ownAddresses(): Set<string> | undefined {
  try {
    const links = Object.values(networkInterfaces());
    return new Set(links.flatMap((found) => (found ?? []).map(({ address }) => address)));
  } catch (thrown) {
    rethrowInvariant(thrown);
    return undefined;
  }
}

function forwarded(query: DnsQuery, found: Found | undefined, bytesMax: number): Buffer {
  if (found === undefined) {
    return writeAnswer(query, { rcode: rcode.serverFailed, addresses: [] }, bytesMax);
  }
  return writeForwarded(query, found.answer, { ageSeconds: found.ageSeconds, bytesMax });
}
