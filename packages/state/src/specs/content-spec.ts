/**
 * Content spec: what a client may ask for in a secret or a config.
 *
 * Decides whether a SecretSpec or ConfigSpec makes sense by itself. Does not decide what may change later, nor
 * whether names are free (the API and the store do).
 *
 * Errors: GamError BAD_REQUEST, with the text that Swarm answers: clients match on it.
 * Source: Docker Engine API 1.41, SecretCreate and ConfigCreate; refusals as answered by Engine 20.10.
 */
import { GamError } from "@gam/core";
import type { ConfigSpec } from "../objects/config.ts";
import type { Templating } from "../objects/content.ts";
import type { SecretSpec } from "../objects/secret.ts";
import { goBytes, labels, readBody, type Shaped, struct, text } from "./json-shape.ts";

/** Swarm refuses data of this size and more. */
const secretBytesEnd = 500 * 1024;
const configBytesEnd = 1000 * 1024;
/** The largest data of a secret and of a config. */
export const secretBytesMax = secretBytesEnd - 1;
export const configBytesMax = configBytesEnd - 1;

export const contentNameMax = 64;
export const contentNameForm = /^[a-zA-Z0-9](?:[a-zA-Z0-9-_.]*[a-zA-Z0-9])?$/;

const driver = struct("Driver", { Name: text, Options: labels });
const secretShape = struct("SecretSpec", {
  Name: text,
  Labels: labels,
  Data: goBytes,
  Driver: driver,
  Templating: driver,
});
const configShape = struct("ConfigSpec", {
  Name: text,
  Labels: labels,
  Data: goBytes,
  Templating: driver,
});

export interface ReadSecret {
  readonly spec: SecretSpec;
  /** Absent: the client sent none, or an empty one. */
  readonly data: Uint8Array | undefined;
}
export interface ReadConfig {
  readonly spec: ConfigSpec;
  readonly data: Uint8Array | undefined;
}

function refuse(message: string): never {
  throw new GamError("BAD_REQUEST", message);
}

function invalid(message: string): never {
  refuse(`rpc error: code = InvalidArgument desc = ${message}`);
}

/** Errors: also a driver: no engine here calls drivers of secrets. */
export function readSecretSpec(body: unknown): ReadSecret {
  const { Data: data, Driver, ...read } = readBody(secretShape, body);
  const spec = readSpec(read);
  if (Driver !== undefined) {
    const reason = "gam calls no plugins for secrets. Create the secret with its data instead";
    refuse(`rpc error: code = Unknown desc = plugin "${Driver.Name ?? ""}" not found: ${reason}`);
  }
  return { spec, data };
}

export function readConfigSpec(body: unknown): ReadConfig {
  const { Data: data, ...read } = readBody(configShape, body);
  return { spec: readSpec(read), data };
}

/** Returns: the data for a secret or config that is to have some. */
export function insistOnData(data: Uint8Array | undefined, kind: "secret" | "config"): Uint8Array {
  const end = kind === "secret" ? secretBytesEnd : configBytesEnd;
  if (data !== undefined && data.length < end) return data;
  invalid(`${kind} data must be larger than 0 and less than ${end} bytes`);
}

function readSpec({
  Name = "",
  Labels = {},
  Templating,
}: Omit<Shaped<typeof configShape>, "Data">): SecretSpec & ConfigSpec {
  if (Name === "") invalid("name must be provided");
  if (Name.length > contentNameMax || !contentNameForm.test(Name)) {
    invalid(
      `invalid name, only ${contentNameMax} [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]`,
    );
  }
  return { Name, Labels, ...(Templating && { Templating: readTemplating(Templating) }) };
}

function readTemplating({ Name = "", Options }: Shaped<typeof driver>): Templating {
  if (Name !== "golang") {
    refuse(`unrecognized template type: "${Name}". The only one is "golang"`);
  }
  if (Options !== undefined) refuse('template driver "golang" has no options');
  return { Name };
}
