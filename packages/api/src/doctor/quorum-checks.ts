/** Quorum checks: whether there is a leader, and which hosts do not answer, with why as far as one can tell. */
import type { NodeId } from "@gam/core";
import type { Node, View } from "@gam/state";
import type { DoctorFacts, DoorState, Examined } from "../door/doctor-facts.ts";
import { meshPort } from "./path-checks.ts";
import { failed, hostOf, inWords, nameOf, passed, type Ruling } from "./ruling.ts";

/** Longer than an election takes, which is a few seconds. */
const leaderlessMsMax = 10_000;

export function leader(facts: DoctorFacts, view: View): Ruling {
  const { leaderlessMs, voters, examined } = facts;
  const answered = new Set(
    examined.flatMap(({ node, examination }) => (examination === undefined ? [] : [node])),
  );
  const silent = voters.filter((id) => !answered.has(id));
  const needed = Math.floor(voters.length / 2) + 1;
  const isThin = voters.length - silent.length < needed;
  // With silent voters the cause is known, so there is no need to wait for what follows from it.
  if (leaderlessMs < leaderlessMsMax && !(isThin && leaderlessMs > 0)) {
    return passed("leader", "mesh");
  }
  const goesOn = "Nothing is scheduled, what runs goes on";
  if (!isThin) {
    const cause = `No leader for ${Math.round(leaderlessMs / 1000)} s, although ${voters.length - silent.length} of ${voters.length} voters answer. ${goesOn}`;
    const remedy =
      'Read the logs of the agents for the reason. "gam recover" shows what this host could continue with alone';
    return failed("leader", "mesh", { found: cause, cause, remedy }, []);
  }
  const names = silent.map((id) => nameOf(view, id)).sort();
  const who =
    voters.length === 1
      ? `The only voter is silent: ${names.join("")}`
      : `${silent.length} of ${voters.length} voters are silent: ${names.join(", ")}`;
  const cause = `${who}. ${goesOn}`;
  const wanted = needed - (voters.length - silent.length);
  const enough =
    wanted < silent.length ? `; ${wanted} of them ${wanted === 1 ? "is" : "are"} enough` : "";
  const gone = `If they are gone for good, run "gam recover" on a survivor: it first shows what that host would continue with`;
  const cut =
    answered.size === 1 && view.nodes().length > 2
      ? `. If they run, ${nameOf(view, facts.self)} is cut off from them: look at its network`
      : "";
  const remedy = `${waysBack(silent, facts, view)}${enough}${cut}. ${gone}`;
  return failed("leader", "mesh", { found: cause, cause, remedy }, names);
}

/** Returns: what to do about these nodes, by why they are silent. */
function waysBack(ids: readonly NodeId[], { examined }: DoctorFacts, view: View): string {
  const names = (state: DoorState): string[] =>
    ids
      .flatMap((id) => {
        const door = examined.find(({ node }) => node === id)?.door ?? "silent";
        return door === state ? [nameOf(view, id)] : [];
      })
      .sort();
  const [off, idle, stuck] = [names("silent"), names("refused"), names("open")];
  const isLockable = view.cluster?.UnlockKey !== undefined;
  return [
    ...(off.length > 0 ? [`Start ${inWords(off)}, or repair the network to ${them(off)}`] : []),
    ...(idle.length > 0 && isLockable ? [`Run "gam unlock" on ${inWords(idle)}`] : []),
    ...(idle.length > 0 ? [`Run "systemctl start gam" on ${inWords(idle)}`] : []),
    ...(stuck.length > 0 ? [`Run "systemctl restart gam" on ${inWords(stuck)}`] : []),
  ].join(". ");
}

function them(names: readonly string[]): string {
  return names.length === 1 ? "it" : "them";
}

export function rivals({ rivals }: DoctorFacts, view: View): Ruling[] {
  return rivals.map((id) => {
    const name = nameOf(view, id);
    const cause = `"gam recover" was run on ${name}, too: there is a second life of this cluster`;
    const remedy =
      'Keep one of the two; on each host of the other run "gam leave --force", then "gam join TOKEN"';
    return failed("leader", name, { found: cause, cause, remedy });
  });
}

/** A locked manager does not listen, so nobody can tell it from a host whose agent does not run. */
function isLockable({ Spec }: Node, { cluster }: View): boolean {
  return Spec.Role === "manager" && cluster?.UnlockKey !== undefined;
}

/** A host that did not answer. */
export function silent(
  node: Node,
  examined: Examined | undefined,
  facts: DoctorFacts,
  view: View,
): Ruling {
  const host = hostOf(node);
  const self = nameOf(view, facts.self);
  const isReplaced = facts.examined.some(({ examination }) => examination?.hostname === host);
  if (isReplaced && examined?.door !== "open") {
    const cause = `${host} is listed twice: the node ${node.ID} does not answer, another one of that name does`;
    const remedy = `If ${host} joined again under a new id, run "docker node rm --force ${node.ID}". If they are two hosts, start the other one under another name`;
    return failed("names", host, { found: cause, cause, remedy });
  }
  const hearing = facts.examined.flatMap(({ node: id, examination }) =>
    id !== facts.self && examination?.connected.includes(node.ID) ? [nameOf(view, id)] : [],
  );
  if (hearing.length > 0 && examined?.door !== "open") {
    const found = `${inWords(hearing)} ${hearing.length === 1 ? "is" : "are"} connected to ${host}, ${self} is not`;
    const remedy = `Open ${meshPort(node)} between ${self} and ${host}, both ways`;
    return failed("mesh", `${self} to ${host}`, { found, cause: found, remedy }, [self, host]);
  }
  const gone = `If it is gone for good, run "docker node rm --force ${host}"`;
  const locked = isLockable(node, view);
  switch (examined?.door) {
    case "refused":
      return failed("agents", host, {
        found: locked
          ? "The host is on, and its agent does not run or is locked"
          : "The host is on, and its agent does not run",
        remedy: `${locked ? `Run "gam unlock" on ${host}, if its agent was started again. Otherwise run` : "Run"} "systemctl start gam" on ${host}. If it ends again, "journalctl -u gam" there says why`,
      });
    case "open":
      return failed("agents", host, {
        found: `Its agent takes connections and does not answer (${examined.failure})`,
        remedy: `Run "systemctl restart gam" on ${host}; if the whole host hangs, restart it. Its agent's log says more`,
      });
    default:
      return failed("agents", host, {
        found: "It does not answer: it is off, or the network to it is cut",
        remedy: `Start ${host}, or open ${meshPort(node)} to it. ${gone}`,
      });
  }
}
