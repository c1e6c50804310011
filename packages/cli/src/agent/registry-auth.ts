/**
 * Registry auth: what the docker client of this host knows about a registry, as the header `X-Registry-Auth`.
 *
 * Reads `config.json` of the docker client, and asks its credential helpers. A registry without an entry has no
 * header.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { check, GamError, jsonOr, messageOf, rethrowInvariant } from "@gam/core";
import { readIfThere } from "./input-file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const text = check.string(1 << 16);
const readConfig = check.object({
  auths: check.optional(
    check.map(
      check.object({ auth: check.optional(text), identitytoken: check.optional(text) }),
      10_000,
    ),
  ),
  credsStore: check.optional(text),
  credHelpers: check.optional(check.map(text, 10_000)),
});
const readCredentials = check.object({ Username: text, Secret: text });

const dockerHub = "https://index.docker.io/v1/";
const helperMsMax = 30_000;

/** Returns: the registry of an image: the first part of its name if that is a host. */
function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  return !isHost || first === "docker.io" || first === "index.docker.io" ? dockerHub : first;
}

/**
 * Returns: a function from an image to its header.
 *
 * Errors: BAD_REQUEST for a configuration that cannot be read, or a helper that fails.
 */
export function registryAuth(environment: Environment): (image: string) => string | undefined {
  const folder = environment.DOCKER_CONFIG || join(environment.HOME ?? "/root", ".docker");
  const config = readConfig(configAt(join(folder, "config.json")), "config.json");
  return (image) => {
    const registry = registryOf(image);
    const helper = config.credHelpers?.[registry] ?? config.credsStore;
    const credentials = helper ? fromHelper(helper, registry) : undefined;
    const found = credentials ?? fromFile(config.auths ?? {}, registry);
    if (found === undefined) return undefined;
    const header = JSON.stringify({ ...found, serveraddress: registry });
    return Buffer.from(header).toString("base64url");
  };
}

function configAt(path: string): unknown {
  const found = readIfThere(path);
  return found === undefined ? {} : jsonOr(Buffer.from(found).toString(), {});
}

type Credentials = Readonly<Record<string, string>>;

function fromFile(
  auths: Readonly<
    Record<
      string,
      { readonly auth?: string | undefined; readonly identitytoken?: string | undefined }
    >
  >,
  registry: string,
): Credentials | undefined {
  const hostOf = (key: string): string => key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  const key = Object.keys(auths).find((one) => one === registry || hostOf(one) === registry);
  const entry = key === undefined ? undefined : auths[key];
  if (entry === undefined) return undefined;
  const plain = Buffer.from(entry.auth ?? "", "base64").toString();
  const cut = plain.indexOf(":");
  return {
    username: cut < 0 ? plain : plain.slice(0, cut),
    password: cut < 0 ? "" : plain.slice(cut + 1),
    ...(entry.identitytoken ? { identitytoken: entry.identitytoken } : {}),
  };
}

function fromHelper(helper: string, registry: string): Credentials | undefined {
  const program = `docker-credential-${helper}`;
  try {
    const said = execFileSync(program, ["get"], {
      input: registry,
      encoding: "utf8",
      timeout: helperMsMax,
    });
    const { Username, Secret } = readCredentials(jsonOr(said, {}), program);
    if (Username === "<token>") return { identitytoken: Secret };
    return { username: Username, password: Secret };
  } catch (thrown) {
    rethrowInvariant(thrown);
    const said = `${messageOf(thrown)}${outputOf(thrown)}`;
    if (said.includes("credentials not found")) return undefined;
    throw new GamError("BAD_REQUEST", `Cannot ask ${program} about ${registry}: ${said.trim()}`, {
      cause: thrown,
    });
  }
}

/** A helper says on its standard output that it knows no credentials. */
function outputOf(thrown: unknown): string {
  const isRun = typeof thrown === "object" && thrown !== null && "stdout" in thrown;
  return isRun ? String(thrown.stdout) : "";
}
