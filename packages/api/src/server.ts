/**
 * Server: the Docker Engine API on a Unix socket, with the cluster behind its Swarm side.
 *
 * Decides which calls are answered here and which an engine gets: the local one, or the one that has the container.
 * Passes calls for engines on unread. Decides nothing about the cluster: that is behind the door.
 *
 *   const server = await ApiServer.listen({ socketPath, engineSocketPath, door, log, version });
 *   …
 *   await server.close();
 */
import { chmod } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { BrokenInvariant } from "@gam/core";
import fastify, { type FastifyInstance } from "fastify";
import { SwarmEvents } from "./answers/swarm-events.ts";
import type { ApiLog } from "./door/api-log.ts";
import type { ClusterDoor } from "./door/door.ts";
import { Attachments } from "./engine/attachments.ts";
import { Engine } from "./engine/engine.ts";
import { mayUpgrade } from "./engine/engine-path.ts";
import { ignoreUpgrade, passCall, passUpgrade } from "./engine/engine-proxy.ts";
import { insistOnManagersCall } from "./engine/worker-calls.ts";
import { doctorRoutes } from "./gam/doctor-routes.ts";
import { historyRoutes } from "./gam/history-routes.ts";
import { httpRoutes } from "./gam/http-routes.ts";
import { planRoutes } from "./gam/plan-routes.ts";
import { policyRoutes } from "./gam/policy-routes.ts";
import { rolloutRoutes } from "./gam/rollout-routes.ts";
import { upgradeRoutes } from "./gam/upgrade-routes.ts";
import { whyRoutes } from "./gam/why-routes.ts";
import { containerRoutes } from "./hosts/container-routes.ts";
import { Containers } from "./hosts/containers.ts";
import { imageRoutes } from "./images/image-routes.ts";
import { jobRoutes } from "./jobs/job-routes.ts";
import { errorResponseOf } from "./request/api-error.ts";
import { announced, checkVersion, unversioned, wantsPlainErrors } from "./request/api-version.ts";
import { withinAnswer } from "./request/old-copy.ts";
import { attachRoutes } from "./routes/attach-routes.ts";
import { eventRoutes } from "./routes/event-routes.ts";
import { gamRoutes } from "./routes/gam-routes.ts";
import { logRoutes } from "./routes/log-routes.ts";
import { objects } from "./routes/objects.ts";
import type { RouteContext } from "./routes/route-context.ts";
import { systemRoutes } from "./routes/system-routes.ts";
import { scaleRoutes } from "./scale/scale-routes.ts";
import { clearSocketFile } from "./socket-file.ts";

export interface ApiServerOptions {
  readonly socketPath: string;
  readonly engineSocketPath: string;
  readonly door: ClusterDoor;
  readonly log: ApiLog;
  /** gam's own version. */
  readonly version: string;
}

/** Only root and its group may use the socket, because using it amounts to root on every node. */
const socketMode = 0o660;
/** Longer than any client keeps an idle connection, so that no client sends into a closing one. */
const keepAliveMs = 120_000;
/** The longest time for which an address stays with a deleted container. */
const sweepMs = 10_000;
/** Names and ids in paths. The engine refuses longer ones. */
const refLengthMax = 512;

export class ApiServer {
  readonly #app: FastifyInstance;
  readonly #door: ClusterDoor;
  readonly #upgraded = new Set<Duplex>();
  readonly #attachments: Attachments;
  readonly #sweeps: NodeJS.Timeout;
  readonly #deafen: () => void;

  private constructor(options: ApiServerOptions) {
    this.#door = options.door;
    const events = new SwarmEvents(() => options.door.view());
    const engine = new Engine(options.engineSocketPath);
    this.#deafen = options.door.subscribe(() => events.notice());
    const attachments = new Attachments(options.door, engine, options.log);
    this.#attachments = attachments;
    this.#sweeps = setInterval(() => void this.#sweep(), sweepMs);
    this.#sweeps.unref();
    const containers = new Containers(options.door, engine);
    this.#app = buildApp({ ...options, engine, containers, events, attachments });
    this.#app.server.on("upgrade", (call, client, head) => {
      if (!mayUpgrade(call.method, call.url)) {
        return ignoreUpgrade(this.#app.server, call, client, head);
      }
      this.#upgraded.add(client);
      client.on("close", () => this.#upgraded.delete(client));
      void passUpgrade({ call, client, head }, () =>
        containers.route(call.method, call.url ?? "/"),
      );
    });
  }

  /** Errors: GamError REFUSED when another agent answers on the socket. */
  static async listen(options: ApiServerOptions): Promise<ApiServer> {
    await clearSocketFile(options.socketPath);
    const server = new ApiServer(options);
    await server.#app.listen({ path: options.socketPath });
    await chmod(options.socketPath, socketMode);
    return server;
  }

  /** Closes all open connections. Containers and the cluster do not need them. */
  async close(): Promise<void> {
    this.#deafen();
    clearInterval(this.#sweeps);
    for (const client of this.#upgraded) client.destroy();
    await this.#app.close();
  }

  async #sweep(): Promise<void> {
    if (this.#door.state() === "active") await this.#attachments.sweep();
  }
}

/** Routes check bodies themselves, so the agent's bundle leaves out Fastify's compilers, a seventh of its size. */
function noSchemas(): never {
  throw new Error("Cannot compile the schema of a route: check its body with readOwnBody()");
}

function buildApp(context: RouteContext): FastifyInstance {
  const { engine, containers, log } = context;
  const app = fastify({
    forceCloseConnections: true,
    keepAliveTimeout: keepAliveMs,
    // Uploads to the engine have no time limit.
    requestTimeout: 0,
    schemaController: {
      compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas },
    },
    routerOptions: { maxParamLength: refLengthMax, ignoreDuplicateSlashes: false },
    rewriteUrl: (call) => unversioned(call.url ?? "/"),
    // Errors outside of any route, such as an invalid URL. Keep Fastify's text, in the shape of all refusals.
    frameworkErrors: ({ statusCode = 400, message }, _request, reply) => {
      reply.hijack();
      reply.raw.writeHead(statusCode, { "Content-Type": "application/json" });
      reply.raw.end(JSON.stringify({ message }));
    },
  });
  // Only routes that need a body read it: a call that is passed on must still have its body.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, body, done) => done(null, body));

  app.addHook("onRequest", (_request, reply, done) => withinAnswer(reply.raw, done));
  app.addHook("onRequest", async (request, reply) => {
    // Ignore errors of a lost client: code that cares looks at whether the call has ended.
    reply.raw.on("error", () => undefined);
    const version = announced(await engine.version());
    checkVersion(request.originalUrl, version);
    insistOnManagersCall(context.door, request.originalUrl);
    reply.header("Api-Version", version).header("Server", `gam/${context.version} (linux)`);
  });
  app.addHook("onSend", async (_request, reply) => {
    // The docker client parses an error's body only if its type is exactly this.
    const type = reply.getHeader("content-type");
    if (String(type).startsWith("application/json"))
      reply.header("content-type", "application/json");
  });
  app.setErrorHandler((thrown, request, reply) => {
    if (thrown instanceof BrokenInvariant) {
      // A bug must end the agent, so throw it where Fastify cannot catch it.
      queueMicrotask(() => {
        throw thrown;
      });
    }
    const { status, message } = errorResponseOf(thrown);
    log.info({ method: request.method, url: request.originalUrl, status, message }, "Refused");
    reply.code(status);
    if (!wantsPlainErrors(request.originalUrl)) return reply.send({ message });
    return reply.type("text/plain; charset=utf-8").send(`${message}\n`);
  });
  app.setNotFoundHandler(async (request, reply) => {
    const { target, ...where } = await containers.route(request.method, request.originalUrl);
    return await passCall(target, request, reply, where);
  });

  systemRoutes(app, context);
  for (const { routes } of Object.values(objects)) routes(app, context);
  logRoutes(app, context);
  attachRoutes(app, context);
  containerRoutes(app, context);
  eventRoutes(app, context);
  gamRoutes(app, context);
  imageRoutes(app, context);
  jobRoutes(app, context);
  scaleRoutes(app, context);
  whyRoutes(app, context);
  planRoutes(app, context, buildApp);
  policyRoutes(app, context);
  httpRoutes(app, context);
  historyRoutes(app, context);
  rolloutRoutes(app, context);
  doctorRoutes(app, context);
  upgradeRoutes(app, context);
  return app;
}
