/** Volume records: the cluster's record of volumes for the gam command, and the moves that it asks for. */
import { check, type VolumeName } from "@gam/core";
import type { Node, View, VolumeRecord, VolumeRestore } from "@gam/state";
import type { VolumeList, VolumeSummary } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { hostnameOf, nodeNaming } from "../answers/node-answer.ts";
import type { ClusterDoor } from "../door/door.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError, lockedSwarm, notInSwarm } from "../request/api-error.ts";
import { readOwnBody } from "../request/own-body.ts";
import { resolve } from "../request/reference.ts";
import type { ContainerContext } from "./container-routes.ts";

interface Ref {
  readonly Params: { readonly name: string };
}

const moveFields = { to: check.string(), from: check.optional(check.string()) };

/** Errors: ApiError 503 on a host that is in no cluster, or locked. */
export function insistOnMember(door: ClusterDoor): void {
  if (door.state() === "locked") throw new ApiError(503, lockedSwarm);
  if (door.state() === "inactive") throw new ApiError(503, notInSwarm);
}

export function volumeRecordRoutes(app: FastifyInstance, { door }: ContainerContext): void {
  const insist = (): void => insistOnMember(door);

  app.get("/gam/v1/volumes", async (): Promise<VolumeList> => {
    insist();
    await door.fresh();
    const view = door.view();
    return { volumes: view.volumes().map((volume) => summaryOf(volume, view)) };
  });

  /** `{"to":"host3"}`, and `"from":"host2"` for a volume that several hosts have. */
  app.post<Ref>("/gam/v1/volumes/:name/move", async (request) => {
    const { to, from } = await readOwnBody(request.body, moveFields);
    insist();
    requireManager(door);
    await door.fresh();
    const view = door.view();
    const volume = volumeCalled(request.params.name, view);
    const target = resolve(to, view.nodes(), nodeNaming);
    const source =
      from === undefined ? onlyHome(volume, view) : resolve(from, view.nodes(), nodeNaming);
    const move = door.mint();
    const change = {
      kind: "moveVolume",
      id: volume.ID,
      move,
      from: source.ID,
      to: target.ID,
    } as const;
    await door.propose([change]);
    return { move };
  });

  app.post<Ref>("/gam/v1/volumes/:name/stop-move", async (request) => {
    await readOwnBody(request.body, {});
    insist();
    requireManager(door);
    await door.fresh();
    const { ID: id, Move } = volumeCalled(request.params.name, door.view());
    if (Move === undefined) throw new ApiError(409, `volume ${id} is not being moved`);
    const error = "stopped by a person";
    await door.propose([{ kind: "stopVolumeMove", id, move: Move.id, error }]);
    return {};
  });
}

export function volumeCalled(name: string, view: View): VolumeRecord {
  const volume = view.volume(name as VolumeName);
  if (volume !== undefined) return volume;
  const remedy = '"gam volume ls" shows those that services have used';
  throw new ApiError(404, `volume ${name} not found: ${remedy}`);
}

/** Errors: ApiError 404 for none, 400 for several. */
export function onlyHome({ ID, Homes }: VolumeRecord, view: View, option = "--from"): Node {
  const homes = Homes.flatMap(({ node }) => view.node(node) ?? []);
  const [home] = homes;
  if (home === undefined) throw new ApiError(404, `volume ${ID} is on no host`);
  if (homes.length === 1) return home;
  const hosts = homes.map(hostnameOf).join(", ");
  throw new ApiError(400, `volume ${ID} is on several hosts (${hosts}): say which with ${option}`);
}

function summaryOf(volume: VolumeRecord, view: View): VolumeSummary {
  const { ID, Homes, Move, LastMove, Restore, LastRestore, Leftovers = [], LostWith } = volume;
  const host = (id: Node["ID"]): string => {
    const node = view.node(id);
    return node === undefined ? id : hostnameOf(node);
  };
  const restoring = ({ id, node, source, bytes }: Omit<VolumeRestore, "startedAt">) => {
    return { id, host: host(node), source, bytes };
  };
  return {
    name: ID,
    homes: Homes.map(({ node, users }) => {
      return { host: host(node), state: view.node(node)?.Status.State ?? "gone", users };
    }),
    ...(Move && {
      move: {
        ...{ id: Move.id, from: host(Move.from), to: host(Move.to) },
        ...{ bytes: Move.bytes, totalBytes: Move.totalBytes },
      },
    }),
    ...(LastMove && {
      lastMove: {
        ...{ id: LastMove.id, from: host(LastMove.from), to: host(LastMove.to) },
        ...{ digest: LastMove.digest, error: LastMove.error },
      },
    }),
    ...(Restore && { restore: restoring(Restore) }),
    ...(LastRestore && {
      lastRestore: { ...restoring(LastRestore), error: LastRestore.error },
    }),
    leftovers: Leftovers.map(({ node }) => host(node)),
    ...(LostWith !== undefined && { lostWith: LostWith }),
  };
}
