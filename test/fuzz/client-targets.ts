/**
 * Input of clients at a host's socket, and the stack files that the gam command reads.
 *
 * Clients are trusted, since the socket is root's. But their input is often made from that of strangers.
 */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { nodeCalled, Rig } from "@gam/api/testing";
import { readStack, showFile } from "@gam/compose";
import { GamError, type NetworkId, type NodeId, type Random, type SecretId } from "@gam/core";
import { testId } from "@gam/core/testing";
import {
  checkTemplate,
  clusterSpecDefault,
  readClusterSpec,
  readConfigSpec,
  readDataPath,
  readInitRequest,
  readJoinRequest,
  readNetworkSpec,
  readNodeSpec,
  readSecretSpec,
  readServiceSpec,
} from "@gam/state";
import { ApiError } from "../../packages/api/src/request/api-error.ts";
import {
  checkVersion,
  forEngine,
  unversioned,
  wantsPlainErrors,
} from "../../packages/api/src/request/api-version.ts";
import { fieldsOf } from "../../packages/api/src/request/fields.ts";
import { Filters } from "../../packages/api/src/request/filters.ts";
import { parseGoJson } from "../../packages/api/src/request/go-json.ts";
import { eachValue, withGoKeys } from "../../packages/api/src/request/go-keys.ts";
import { Query } from "../../packages/api/src/request/query.ts";
import { pick } from "./mutate.ts";
import type { Target } from "./target.ts";

const testdata = new URL("../../packages/compose/testdata/", import.meta.url);
const readTestdata = (path: string): string => readFileSync(new URL(path, testdata), "utf8");
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value), "utf8");
const text = (input: Uint8Array): string => Buffer.from(input).toString("utf8");
const isRefusal = (thrown: unknown): boolean =>
  thrown instanceof GamError || thrown instanceof ApiError;

const services: readonly object[] = JSON.parse(readTestdata("every/want.json")).services;
const network = {
  Name: "front",
  Driver: "overlay",
  Attachable: true,
  Labels: { tier: "one" },
  Options: { encrypted: "" },
  IPAM: { Driver: "default", Config: [{ Subnet: "10.20.0.0/24", Gateway: "10.20.0.1" }] },
};
const contents: readonly object[] = [
  { Name: "pw", Labels: { a: "1" }, Data: "dmFsdWUgb2Ygb25l", Templating: { Name: "golang" } },
  { Name: "pw", Data: "eA==", Driver: { Name: "vault", Options: { a: "b" } } },
];
const node = { Name: "", Labels: { disk: "ssd" }, Role: "manager", Availability: "active" };
const dataPath = { DefaultAddrPool: ["10.0.0.0/8"], SubnetSize: 24, DataPathPort: 4789 };

function bodies(): Target[] {
  const base = { group: "clients", form: "json", isRefusal } as const;
  const body = (
    name: string,
    seeds: readonly object[],
    read: (body: unknown) => unknown,
  ): Target => ({
    ...base,
    name,
    seeds: seeds.map(bytes),
    take: (input) => read(parseGoJson(text(input))) !== undefined,
  });
  return [
    body("service-spec", services, (one) =>
      stable((spec) => readServiceSpec(spec, { checkTemplate }), one),
    ),
    body("network-spec", [network], (one) => readNetworkSpec(one, "n".repeat(25) as NetworkId)),
    body("secret-spec", contents, (one) => readSecretSpec(one)),
    body("config-spec", contents, (one) => readConfigSpec(one)),
    body("node-spec", [node], (one) => stable(readNodeSpec, one)),
    body("cluster-spec", [clusterSpecDefault], (one) => stable(readClusterSpec, one)),
    body("data-path", [dataPath], (one) => stable(readDataPath, one)),
    body("init-request", [init], (one) => stable(readInitRequest, one)),
    body("join-request", [join], (one) => stable(readJoinRequest, one)),
    body("container-body", [container, connect], (one) => withGoKeys(fieldsOf(one), anyKeys)),
  ];
}

/** A stored form is its own stored form: otherwise a client that sends back what it has read changes it. */
function stable<T>(read: (value: unknown) => T, body: unknown): T {
  const stored = read(body);
  const text = JSON.stringify(stored);
  const again = JSON.stringify(read(JSON.parse(text)));
  if (again !== text)
    throw new Error(`read again it is ${again.slice(0, 300)}, not ${text.slice(0, 300)}`);
  return stored;
}

const anyKeys = {
  Image: null,
  HostConfig: { NetworkMode: null },
  NetworkingConfig: { EndpointsConfig: eachValue({ Aliases: null }) },
  EndpointConfig: { IPAMConfig: { IPv4Address: null } },
};

function filters(): Target {
  return {
    name: "filters",
    group: "clients",
    form: "json",
    seeds: [
      { name: { web: true }, label: { "a=b": true, c: false } },
      { name: ["web"], id: [] },
    ].map(bytes),
    isRefusal,
    take: (input) => {
      const read = new Filters(text(input), "any");
      const labels = { a: "b" };
      return (
        [
          read.has("name"),
          read.exact("name", "web"),
          read.prefix("id", "x"),
          read.labels("label", labels),
        ].length > 0
      );
    },
  };
}

function urls(): Target {
  return {
    name: "url",
    group: "clients",
    form: "text",
    seeds: ["/v1.41/services?filters=%7B%7D&status=true", "/v1.24/nodes/x/update?version=12"].map(
      (one) => Buffer.from(one),
    ),
    words: ["/v1.", "?", "&", "=", "%", "%ff", "version=", "99999999999999999999", "//", ".."],
    isRefusal,
    take: (input) => {
      const url = text(input);
      checkVersion(url, "1.45");
      const query = new Query(unversioned(url));
      query.flag("status");
      query.text("filters");
      wantsPlainErrors(url);
      forEngine(url, "1.41");
      return query.version("node") >= 0;
    },
  };
}

function templates(): Target {
  const words =
    "{{ }} {{- -}} if else end range with define template block break continue | ( ) $x := = , . .Service .Labels printf print slice index len eq and or not nil true 1 -2 2.5 'a' \"q\" ` /* */ %s %05d %[2]*v".split(
      " ",
    );
  const seeds = [
    '{{printf "%s-%05d" .Service.Name 3}}',
    "{{range $k, $v := .Service.Labels}}{{$k}}={{$v}}{{else}}none{{end}}",
    '{{define "a"}}{{slice . 1 2}}{{end}}{{template "a" .Node.Hostname}}{{with $x := .Task}}{{$x.Slot}}{{end}}',
  ];
  const service = { Name: "web", Labels: { a: "1" } };
  return {
    name: "template",
    group: "clients",
    form: "text",
    seeds: seeds.map((one) => Buffer.from(one)),
    words: [...words, " "],
    take: (input) => checkTemplate(text(input), service) === undefined,
  };
}

function stacks(): Target {
  const seeds = [
    "every/1.yml",
    "objects/1.yml",
    "defaults/1.yml",
    "shop/1.yml",
    "images/1.yml",
    "two-files/1.yml",
    "two-files/2.yml",
  ];
  const included = "services: {other: {image: x, environment: {A: b}}}\nnetworks: {n: {}}\n";
  // biome-ignore lint/suspicious/noTemplateCurlyInString: stack files have variables.
  const variables = ["${HOME}", "${A:-b}", "${A?b}", "${A:-${B}}", "$$"];
  const words = [
    ":",
    "- ",
    "  ",
    "\n",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: ",
    "|",
    ">-",
    "!!binary ",
    "? ",
    "#",
  ];
  return {
    name: "stack-file",
    group: "clients",
    form: "text",
    seeds: seeds.map((path) => Buffer.from(readTestdata(path))),
    words: [
      ...words,
      ...variables,
      "services:",
      "deploy:",
      "ports:",
      "networks:",
      "healthcheck:",
      "extends:",
      "include: [a.yml]\n",
      "secrets:",
      "configs:",
      "!reset ",
      "!override ",
      "null",
    ],
    take: (input) => {
      const options = {
        projectName: "shop",
        environment: { HOME: "/home/me" },
        workingDir: "/srv",
        readFile: (path: string) => Buffer.from(path.endsWith(".yml") ? included : "A=b"),
      };
      const result = readStack([{ name: "stack.yml", text: text(input) }], options);
      // What is shown is a stack file again.
      return (
        result.ok && readStack([{ name: "shown.yml", text: showFile(result.file) }], options).ok
      );
    },
  };
}

/** Calls that return and take a body or a query. */
const calls: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/nodes?filters="],
  ["GET", "/services?filters="],
  ["GET", "/tasks?filters="],
  ["GET", "/networks?filters="],
  ["GET", "/secrets?filters="],
  ["GET", "/configs?filters="],
  ["GET", "/events?until=1&filters="],
  ["GET", "/events?until=1&since="],
  ["GET", "/services/web/logs?stdout=1&tail="],
  ["GET", "/tasks/"],
  ["GET", "/nodes/"],
  ["GET", "/info?x="],
  ["GET", "/gam/v1/status?x="],
  ["GET", "/services/"],
  ["GET", "/networks/"],
  ["DELETE", "/services/"],
  ["DELETE", "/networks/"],
  ["DELETE", "/nodes/"],
  ["POST", "/services/create"],
  ["POST", "/services/web/update?version=1"],
  ["POST", "/nodes/host2/update?version=1"],
  ["POST", "/networks/create"],
  ["POST", "/networks/front/connect"],
  ["POST", "/networks/front/disconnect"],
  ["POST", "/containers/create?name=x"],
  ["POST", "/swarm/update?version=1"],
  ["POST", "/swarm/init"],
  ["POST", "/swarm/join"],
  ["POST", "/gam/v1/init"],
  ["POST", "/gam/v1/join"],
  ["POST", "/gam/v1/leave"],
  ["POST", "/gam/v1/token/rotate"],
  ["POST", "/secrets/create"],
  ["POST", "/configs/create"],
  ["POST", "/secrets/pw/update?version=4"],
  ["POST", "/configs/pw/update?version=4"],
  ["DELETE", "/secrets/"],
  ["DELETE", "/configs/"],
];
const container = {
  Image: "x",
  HostConfig: { NetworkMode: "front" },
  NetworkingConfig: { EndpointsConfig: { front: { Aliases: ["a"] } } },
};
const connect = { Container: "c", EndpointConfig: { IPAMConfig: { IPv4Address: "10.20.0.9" } } };
const init = {
  ListenAddr: "0.0.0.0:2377",
  AdvertiseAddr: "eth0",
  Spec: clusterSpecDefault,
  ...dataPath,
};
const join = {
  RemoteAddrs: ["192.0.2.1:2377"],
  JoinToken: "gam-1-x",
  Addresses: [],
  Token: "gam-1-x",
};
/** Texts of Node's own errors, which a typed error never has. */
const fault =
  /is not a function|is not iterable|properties of (?:undefined|null)|of undefined|Maximum call stack|Invalid (?:array|string) length|is not defined|Cannot convert|BrokenInvariant/;
/** Returns: all of the state that a refused call must leave as it was. */
function seenIn({ door }: Rig): string {
  const { store } = door;
  const networks = store.networks().map(({ Id, Name, Gam }) => [Id, Name, Gam.attachments]);
  const contents = [store.secrets(), store.configs()];
  const objects = [store.cluster, store.nodes(), store.services(), networks, contents];
  return JSON.stringify([door.state(), ...objects]);
}

const pw = testId<SecretId>("pw");

/** After this many calls a new cluster is made. */
const callsPerCluster = 64;

/** The whole server over a socket, with a cluster in memory and a simple fake engine. */
function server(): Target {
  let rig: Rig;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ids = ["aaa", "bbb"].map((id) => id.padEnd(25, "0") as NodeId);
  let made = 0;
  const renew = async (): Promise<void> => {
    await rig.door.leave(true);
    rig.engine.calls.length = 0;
    rig.door.begun.length = 0;
    rig.door.joined.length = 0;
    rig.door.start(
      clusterSpecDefault,
      ids.map((id, at) => nodeCalled(`host${at + 1}`, id)),
    );
    const { key, sealed } = rig.door.sealer().sealSecret(pw, 1, Buffer.from("x"));
    const spec = { Name: "pw", Labels: {} };
    const data = Buffer.from("x");
    await rig.door.propose([
      { kind: "createSecret", id: pw, spec, content: { version: 1, key, sealed } },
      { kind: "createConfig", id: testId("conf"), spec, content: { version: 1, data } },
    ]);
  };
  const call = (
    method: string,
    path: string,
    body: Uint8Array | undefined,
  ): Promise<readonly [number, string]> =>
    new Promise((resolve, reject) => {
      const sent = request({
        socketPath: rig.socketPath,
        method,
        path,
        agent,
        headers: { "Content-Type": "application/json" },
      });
      sent.on("error", reject);
      sent.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve([response.statusCode ?? 0, Buffer.concat(chunks).toString("utf8")]),
        );
      });
      sent.end(body);
    });
  return {
    name: "api-call",
    open: async () => {
      rig = await Rig.start(3);
    },
    close: async () => {
      agent.destroy();
      await rig.stop();
    },
    group: "clients",
    form: "json",
    seeds: [
      ...services,
      ...contents,
      network,
      node,
      dataPath,
      container,
      connect,
      init,
      join,
      { name: { web: true } },
    ].map(bytes),
    take: async (input, random: Random) => {
      if (made % callsPerCluster === 0) await renew();
      made += 1;
      const [method, path] = pick(random, calls);
      const isBody = method === "POST";
      const whole = isBody
        ? path
        : path + encodeURIComponent(Buffer.from(input).toString("latin1")).slice(0, 4_000);
      const before = seenIn(rig);
      const [status, answer] = await call(method, whole, isBody ? input : undefined);
      if (status >= 400 && seenIn(rig) !== before)
        throw new Error(`${method} ${path} answered ${status} and has changed the state`);
      if (fault.test(answer))
        throw new Error(`${method} ${path} answered ${status}: ${answer.slice(0, 300)}`);
      return status < 400;
    },
  };
}

export function clientTargets(): readonly Target[] {
  return [...bodies(), filters(), urls(), templates(), stacks(), server()];
}
