/**
 * Caller: opens connections, for the dialer and for joining.
 *
 * Decides nothing but how a failed attempt is called: refused by the host, turned away by the peer,
 * or just failed.
 */
import { GamError, messageOf, type NodeId } from "@gam/core";
import type { Connection } from "@libp2p/interface";
import { dialAddress, parseAddress } from "./address.ts";
import { type Admission, idOf, NotAdmitted } from "./admission.ts";
import type { Attempt } from "./dialer.ts";
import type { Logger } from "./door.ts";
import { Exchange } from "./exchange.ts";
import { cutOff, hangUp } from "./hang-up.ts";
import type { Host } from "./host.ts";
import type { Identity } from "./identity.ts";
import { askToJoin, type Joined, joinProtocol } from "./join.ts";
import type { Limits } from "./limits.ts";
import type { Link, Links } from "./link.ts";
import type { Refusal } from "./refusals.ts";
import type { Standing } from "./standing.ts";
import type { Token } from "./token.ts";

export interface CallerOptions {
  readonly identity: Identity;
  readonly limits: Limits;
  readonly log: Logger;
  readonly host: Host;
  readonly links: Links;
  readonly admission: Admission;
  readonly standing: Standing;
  readonly addresses: () => readonly string[];
  readonly wallMs: () => number;
  readonly onTurnedAway: (by: NodeId, refusal: Refusal, reason: string) => void;
}

export class Caller {
  readonly #options: CallerOptions;
  /** Two dials to one address may share a connection: it is greeted once. */
  readonly #greetings = new Map<string, Promise<Link>>();

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async dial(wanted: NodeId, address: string): Promise<Attempt> {
    const { log, links, onTurnedAway } = this.#options;
    let connection: Connection | undefined;
    try {
      connection = await this.#connect(address);
      const found = idOf(connection) as NodeId;
      if (found !== wanted && links.to(found)?.silent === false) {
        // We have it already, and a second connection would take the place of the first.
        hangUp(connection);
      } else if ((await this.#greetOrRenew(connection)).nodeId === wanted) {
        return "linked";
      }
      log.debug({ wanted, found, address }, "Another peer lives there");
      return "other";
    } catch (thrown) {
      if (isRefusal(thrown)) return "refused";
      if (thrown instanceof NotAdmitted && connection !== undefined) {
        const { refusal, message } = thrown;
        // Whoever answers at that address, and not whom we looked for there.
        const by = idOf(connection) as NodeId;
        log.debug({ address, refusal, reason: message }, "Peer turned us away");
        onTurnedAway(by, refusal, message);
      }
      if (connection !== undefined) cutOff(connection, "dial failed");
      return "failed";
    }
  }

  /** Errors: as Mesh.join. */
  async join(token: Token, places: readonly string[]): Promise<Joined> {
    const answers: { place: string; error: GamError }[] = [];
    for (const place of places) {
      try {
        return await this.#joinAt(place, token);
      } catch (thrown) {
        if (!(thrown instanceof GamError)) throw thrown;
        answers.push({ place, error: thrown });
      }
    }
    // Somebody who said no knows more than those who were not there.
    const refused = answers.find(({ error }) => error.code !== "UNREACHABLE");
    if (refused !== undefined) {
      const { place, error } = refused;
      const why = error.message.replace(/^Cannot join at "[^"]*": /, "");
      throw new GamError(error.code, `Cannot join at "${place}": ${why}`, { cause: error });
    }
    const said = answers.map(({ place, error }) => `"${place}": ${error.message}`).join("; ");
    throw new GamError("UNREACHABLE", `Cannot join: nobody answers (${said})`);
  }

  async #joinAt(place: string, token: Token): Promise<Joined> {
    const { identity, limits, addresses, wallMs, standing } = this.#options;
    let connection: Connection | undefined;
    try {
      connection = await this.#connect(place);
      const signal = AbortSignal.timeout(limits.helloMs);
      const stream = await connection.newStream(joinProtocol, { signal });
      const exchange = new Exchange(stream, limits.controlFrameBytesMax);
      const asking = { self: identity, token, addresses: addresses(), limits, wallMs };
      const joined = await askToJoin(exchange, connection, asking);
      exchange.close();
      standing.take(joined.credentials);
      // A member it is, whether or not this connection lives on: the dialer has the rest.
      await this.#greet(connection).catch(() => undefined);
      return joined;
    } catch (thrown) {
      if (connection !== undefined) cutOff(connection, "join failed");
      if (thrown instanceof GamError) throw thrown;
      throw new GamError("UNREACHABLE", messageOf(thrown), { cause: thrown });
    }
  }

  async #connect(address: string): Promise<Connection> {
    const { host, limits } = this.#options;
    const { connectionManager } = host.components;
    return await connectionManager.openConnection(dialAddress(parseAddress(address)), {
      signal: AbortSignal.timeout(limits.dialMs),
      force: true,
    });
  }

  #greet(connection: Connection): Promise<Link> {
    const known = this.#greetings.get(connection.id);
    if (known !== undefined) return known;
    const greeting = this.#options.admission
      .greet(connection)
      .finally(() => this.#greetings.delete(connection.id));
    this.#greetings.set(connection.id, greeting);
    return greeting;
  }

  async #greetOrRenew(connection: Connection): Promise<Link> {
    try {
      return await this.#greet(connection);
    } catch (thrown) {
      if (!(thrown instanceof NotAdmitted) || thrown.refusal !== "expired") throw thrown;
      if (!(await this.#options.standing.renewOver(connection))) throw thrown;
      return await this.#greet(connection);
    }
  }
}

/** The host is there and nothing listens on that port. */
function isRefusal(thrown: unknown): boolean {
  if (thrown instanceof AggregateError) return thrown.errors.some(isRefusal);
  return thrown instanceof Error && "code" in thrown && thrown.code === "ECONNREFUSED";
}
