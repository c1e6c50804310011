/**
 * Left out: packages that a dependency loads and that gam never calls. A stub replaces each of them in a
 * bundle. It can be loaded and its exports can be read; a call of one of them throws.
 *
 * test/repo/bundle.test.ts checks that each of them is loaded by something, and is in no bundle. That nothing
 * calls them shows in the lab's tests, whose agents run the bundle.
 */
import type { Plugin } from "esbuild";

/** Package name to the feature that would call it. */
export const leftOut: Readonly<Record<string, string>> = {
  ssh2: "an engine behind SSH",
  "@grpc/grpc-js": "sessions of BuildKit",
  "@grpc/proto-loader": "sessions of BuildKit",
  protobufjs: "the progress of BuildKit",
  "tar-fs": "sending a build context",
  "@balena/dockerignore": "sending a build context",
  // Fastify loads these two unless the API says that routes have no schemas. It says so.
  "@fastify/ajv-compiler": "schemas of routes",
  "@fastify/fast-json-stringify-compiler": "schemas of routes",
  semver: "plugins that want a version of Fastify",
  "thread-stream": "logging by another thread",
  // Noise takes SHA-256 from Node. Loading this compiles two WebAssembly modules.
  "@chainsafe/as-sha256": "SHA-256 for Noise in WebAssembly",
};

/** Returns the stub's source. Names and symbols that loaders ask for must not look like exports. */
const stubOf = (name: string, purpose: string): string => `
const stub = (path) => {
  // No arrow function: that cannot be called with new.
  const fail = function () {
    throw new Error("Cannot call " + path + ": ${name} (${purpose}) is left out of this bundle. Remove it from scripts/bundle/left-out.ts to include it");
  };
  const read = (_, key) =>
    typeof key === "symbol" || key === "__esModule" || key === "then" ? undefined : stub(path + "." + key);
  // An ES module that imports names gets them by way of the prototype.
  const itself = new Proxy(fail, { get: read, construct: fail, getPrototypeOf: () => itself });
  return itself;
};
module.exports = stub(${JSON.stringify(name)});
`;

/** An esbuild plugin that replaces the packages and their subpaths, whichever module imports them. */
export const leaveOut: Plugin = {
  name: "left-out",
  setup: ({ onResolve, onLoad }) => {
    const filter = new RegExp(`^(?:${Object.keys(leftOut).join("|")})(?:/|$)`);
    onResolve({ filter }, ({ path }) => ({ path, namespace: "left-out" }));
    onLoad({ filter: /^/, namespace: "left-out" }, ({ path }) => {
      const name = path.split("/", path.startsWith("@") ? 2 : 1).join("/");
      return { contents: stubOf(name, leftOut[name] ?? ""), loader: "js" };
    });
  },
};
