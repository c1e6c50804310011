/**
 * Objects: the routes for each kind of object of the state.
 *
 * A new kind of object gets its routes here; without them the API does not compile.
 */
import type { TableName } from "@gam/state";
import type { FastifyInstance } from "fastify";
import { volumeRoutes } from "../hosts/volume-routes.ts";
import { configRoutes, secretRoutes } from "./content-routes.ts";
import { networkRoutes } from "./network-routes.ts";
import { nodeRoutes } from "./node-routes.ts";
import type { RouteContext } from "./route-context.ts";
import { serviceRoutes } from "./service-routes.ts";
import { swarmRoutes } from "./swarm-routes.ts";
import { taskRoutes } from "./task-routes.ts";

interface ApiObject {
  readonly routes: (app: FastifyInstance, context: RouteContext) => void;
}

export const objects: { readonly [Name in TableName]: ApiObject } = {
  cluster: { routes: swarmRoutes },
  node: { routes: nodeRoutes },
  service: { routes: serviceRoutes },
  task: { routes: taskRoutes },
  network: { routes: networkRoutes },
  secret: { routes: secretRoutes },
  config: { routes: configRoutes },
  volume: { routes: volumeRoutes },
};
