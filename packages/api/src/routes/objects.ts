/**
 * Objects: the routes and events for each kind of object of the state.
 *
 * A new kind of object gets its routes and its events here; without them the API does not compile.
 */
import type { Event, Rows, TableName } from "@gam/state";
import type { FastifyInstance } from "fastify";
import {
  type EventActor,
  type Move,
  toldOfNetwork,
  toldOfNode,
  toldOfService,
} from "../answers/swarm-events.ts";
import { networkRoutes } from "./network-routes.ts";
import { nodeRoutes } from "./node-routes.ts";
import type { RouteContext } from "./route-context.ts";
import { serviceRoutes } from "./service-routes.ts";
import { swarmRoutes } from "./swarm-routes.ts";
import { taskRoutes } from "./task-routes.ts";

interface ApiObject<Name extends TableName> {
  readonly routes: (app: FastifyInstance, context: RouteContext) => void;
  /** What "docker events" shows for it. Tasks and the cluster have no events, as in Swarm. */
  readonly tell: (move: Move<Rows[Name]>) => EventActor | undefined;
}

const silent = (): undefined => undefined;

export const objects: { readonly [Name in TableName]: ApiObject<Name> } = {
  cluster: { routes: swarmRoutes, tell: silent },
  node: { routes: nodeRoutes, tell: toldOfNode },
  service: { routes: serviceRoutes, tell: toldOfService },
  task: { routes: taskRoutes, tell: silent },
  network: { routes: networkRoutes, tell: toldOfNetwork },
};

/** Returns: what "docker events" shows for a change of the state; `undefined` for nothing. */
export function describe(event: Event): EventActor | undefined {
  return describeIn(event.table, event);
}

function describeIn<Name extends TableName>(name: Name, event: Event): EventActor | undefined {
  return objects[name].tell(event as Move<Rows[Name]>);
}
