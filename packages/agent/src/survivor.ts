/**
 * Survivor: reports what this host could continue with alone and what the other hosts have, and makes it continue.
 *
 * Asks the other peers over the mesh, which works without a leader. Does not decide whether recovery is allowed
 * (mayRecover() does) or what is kept (recoverLog() does).
 */
import { decode, encode, GamError, type NodeId } from "@gam/core";
import type { Mesh } from "@gam/mesh";
import {
  checkLogPlace,
  type LogPlace,
  mayRecover,
  type Peer,
  type RecoverVerdict,
  type Recovery,
} from "@gam/peer";
import type { View } from "@gam/state";
import type { RecoverReport } from "@gam/state/answers";

const surveyName = "survey";
const answerMs = 3_000;

export interface SurvivorParts {
  readonly peer: Peer;
  /** The journal is spoilt, so Raft has no log. */
  readonly isMute: boolean;
  readonly mesh: Pick<Mesh, "handle" | "request">;
  /** Random, 25 characters. */
  readonly mint: () => string;
  /** Tells the peer to recover. */
  readonly recover: (id: string, gone: readonly NodeId[]) => void;
}

export class Survivor {
  readonly #parts: SurvivorParts;

  constructor(parts: SurvivorParts) {
    this.#parts = parts;
    parts.mesh.handle(surveyName, () => encode(this.#place()));
  }

  /** Returns: what a recovery would do. Changes nothing. Takes bounded time; never rejects. */
  async report(): Promise<RecoverReport> {
    // Reading the whole log again is slow, and useless while there is a leader.
    const recovery = this.#place().isLed ? undefined : this.#recovery();
    const answers = await this.#ask();
    const verdict = this.#verdict(answers, recovery);
    const { peer } = this.#parts;
    const view = recovery?.view ?? peer.view;
    const { voters, votersOutgoing } = recovery?.configuration ?? peer.raft.configuration;
    const own = this.#place();
    return {
      refusal: verdict.refusal ?? "",
      doubts: verdict.doubts,
      life: own.life.length,
      leaderlessMs: peer.leaderlessMs,
      lastIndex: own.lastIndex,
      unconfirmed: recovery?.unconfirmed ?? 0,
      skipped: recovery?.skipped ?? [],
      writtenAtMs: writtenAtMs(view),
      services: view.services().map(({ Spec }) => Spec.Name),
      tasks: view.tasks().length,
      hosts: view.nodes().map(({ ID }) => {
        const place = ID === peer.self ? own : answers.get(ID);
        return {
          id: ID,
          hostname: nameOf(view, ID),
          isSelf: ID === peer.self,
          votes: voters.includes(ID) || votersOutgoing.includes(ID),
          answers: place !== undefined,
          lastIndex: place?.lastIndex ?? null,
          life: place?.life.length ?? null,
          tasks: view.tasksOn(ID).filter(({ Status }) => Status.State === "running").length,
        };
      }),
    };
  }

  /** Errors: REFUSED, with the reason. */
  async recover(force: boolean): Promise<void> {
    const answers = await this.#ask();
    const recovery = this.#recovery();
    const { refusal, doubts } = this.#verdict(answers, recovery);
    if (refusal !== undefined) throw new GamError("REFUSED", `Cannot recover: ${refusal}`);
    const [doubt] = doubts;
    if (doubt !== undefined && !force) {
      throw new GamError(
        "REFUSED",
        `Cannot recover: ${doubt}. To recover nevertheless, run "gam recover --force"`,
      );
    }
    const others = (recovery?.view ?? this.#parts.peer.view).nodes().map(({ ID }) => ID);
    const isGone = (id: NodeId): boolean => id !== this.#parts.peer.self && !answers.has(id);
    this.#parts.recover(this.#parts.mint(), others.filter(isGone));
  }

  #place(): LogPlace {
    const { raft, lives, leader } = this.#parts.peer;
    // Each call reads the whole log for a mute peer, but few peers ask it.
    const { lastIndex, lastTerm } = (this.#parts.isMute ? lives.recovery() : undefined) ?? raft;
    return {
      life: lives.own,
      lastIndex,
      lastTerm,
      isLed: leader !== undefined,
      isMute: this.#parts.isMute,
    };
  }

  #recovery(): Recovery | undefined {
    return this.#parts.peer.lives.recovery();
  }

  #verdict(answers: ReadonlyMap<NodeId, LogPlace>, recovery: Recovery | undefined): RecoverVerdict {
    const { peer } = this.#parts;
    return mayRecover({
      self: peer.self,
      own: this.#place(),
      leaderlessMs: peer.leaderlessMs,
      ...(recovery?.configuration ?? peer.raft.configuration),
      answers,
      hasState: recovery !== undefined,
      isManager: recovery?.view.node(peer.self)?.Spec.Role === "manager",
      nameOf: (id) => nameOf(peer.view, id),
    });
  }

  async #ask(): Promise<ReadonlyMap<NodeId, LogPlace>> {
    const { peer, mesh } = this.#parts;
    const others = peer.view.nodes().filter(({ ID }) => ID !== peer.self);
    const answers = new Map<NodeId, LogPlace>();
    await Promise.all(
      others.map(async ({ ID }) => {
        try {
          const question = { name: surveyName, body: new Uint8Array(), timeoutMs: answerMs };
          const answer = await mesh.request(ID, question);
          answers.set(ID, checkLogPlace(decode(answer), "survey"));
        } catch (thrown) {
          if (!(thrown instanceof GamError)) throw thrown; // It does not answer.
        }
      }),
    );
    return answers;
  }
}

function nameOf(view: View, id: NodeId): string {
  return view.node(id)?.Description.Hostname || id;
}

/** When any object was last changed, by the clock of the leader of that time. */
export function writtenAtMs(view: View): number {
  const rows = [...view.nodes(), ...view.services(), ...view.tasks()];
  const times = rows.map(({ UpdatedAt }) => Date.parse(UpdatedAt)).filter(Number.isFinite);
  return times.reduce((latest, time) => Math.max(latest, time), 0);
}
