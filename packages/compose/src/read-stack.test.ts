// biome-ignore-all lint/suspicious/noTemplateCurlyInString: stack files hold variables.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { ContainerSpec } from "@gam/state";
import { readStack, type StackResult } from "./read-stack.ts";
import { showProblem } from "./reading/problem.ts";

const folder = new URL("../testdata/", import.meta.url);

/** Each folder has stack files and `want.json`: the docker client's requests for them. */
for (const name of readdirSync(folder)) {
  test(`readStack() gives what the docker client sends: ${name}`, () => {
    const here = new URL(`${name}/`, folder);
    const read = (path: string): string => readFileSync(new URL(path, here), "utf8");
    const result = readStack(
      readdirSync(here)
        .filter((file) => file.endsWith(".yml"))
        .map((file) => ({ name: file, text: read(file) })),
      {
        projectName: "shop",
        environment: { HOME: "/home/me" },
        workingDir: "/srv/stack",
        envFile: (path) => (existsSync(new URL(path, here)) ? read(path) : undefined),
      },
    );
    assert.ok(result.ok, JSON.stringify(result));
    const { networks, services } = result.stack;
    assert.deepEqual({ networks, services }, JSON.parse(read("want.json")));
  });
}

function read(text: string, profiles: string[] = []): StackResult {
  return readStack([{ name: "stack.yml", text }], {
    projectName: "shop",
    environment: { EMPTY: "", TAG: "2" },
    workingDir: "/srv",
    profiles,
  });
}

function problems(text: string): string[] {
  const result = read(text);
  return [
    ...(result.ok ? [] : result.errors).map((problem) => showProblem(problem)),
    ...result.warnings.map((problem) => `warning ${showProblem(problem)}`),
  ];
}

const complaints: readonly { name: string; text: string; want: string[] }[] = [
  {
    name: "names the key that was meant",
    text: "services:\n  a:\n    image: x\n    enviroment: {A: b}\n",
    want: ['stack.yml:4:5: unknown key "enviroment", did you mean "environment"'],
  },
  {
    name: "says so when no key is near",
    text: "services: {}\nfrobnicate: 1\n",
    want: ['stack.yml:2:1: unknown key "frobnicate"'],
  },
  {
    name: "reports every mistake, in the order of the file",
    text: "services:\n  b: {image: x, deploy: {replicas: many}}\n  a: {image: x, ports: [a:b]}\n",
    want: [
      'stack.yml:2:36: wanted a whole number, found "many"',
      'stack.yml:3:25: wanted a port such as 8080:80/tcp, found "a:b": "b" is not a port or range',
    ],
  },
  {
    name: "refuses invalid YAML",
    text: "services: [1",
    want: [
      "stack.yml:1:13: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
  },
  {
    name: "refuses the same key twice",
    text: "services:\n  a: {image: x}\n  a: {image: y}\n",
    want: ["stack.yml:3:3: Map keys must be unique"],
  },
  {
    name: "refuses an anchor that contains itself",
    text: "services: &a\n  x: *a\n",
    want: ["stack.yml:2:6: found an anchor that contains itself: remove the inner alias"],
  },
  {
    name: "refuses an alias without an anchor",
    text: "services:\n  x: {image: *a}\n",
    want: ['stack.yml:2:14: found no anchor "a" before this alias'],
  },
  {
    name: "refuses undefined networks and volumes",
    text: "services:\n  a: {image: x, networks: [n], volumes: ['v:/v']}\n",
    want: [
      'stack.yml:2:28: network "n" is not defined: add it under the top-level "networks"',
      'stack.yml:2:42: volume "v" is not defined: add it under the top-level "volumes"',
    ],
  },
  {
    name: "advises on build",
    text: "services:\n  a: {build: .}\n  b: {build: ., image: x}\n",
    want: [
      'stack.yml:2:14: "build" is not supported: build it with `docker build -t NAME .` and write `image: NAME`',
      'warning stack.yml:3:14: "build" is ignored: nodes must be able to pull "x"',
    ],
  },
  {
    name: "refuses secrets, at the place where they are used",
    text: "services:\n  a: {image: x, secrets: [s]}\n",
    want: [
      'stack.yml:2:17: "secrets" is not supported: gam does not have them yet; bind-mount a file or set environment',
    ],
  },
  {
    name: "warns of keys that a cluster ignores",
    text: "services:\n  a: {image: x, container_name: y, depends_on: [b]}\n",
    want: [
      'warning stack.yml:2:17: "container_name" is ignored: the cluster names containers after their service and slot',
      'warning stack.yml:2:36: "depends_on" is ignored: services start in any order, and restart until the services that they need run',
    ],
  },
  {
    name: "warns of a number that loses its form",
    text: "services:\n  a: {image: x, environment: {ID: 0123}}\n",
    want: [
      "warning stack.yml:2:35: 0123 is a number and is read as 83: put it in quotes to keep it",
    ],
  },
  {
    name: "warns of variables that are not set, and refuses those that must be",
    text: "services:\n  a: {image: 'x:${TAG}${NONE}', user: '${EMPTY:?who runs it}'}\n",
    want: [
      'stack.yml:2:39: variable "EMPTY" is required: who runs it',
      'warning stack.yml:2:14: variable "NONE" is not set: it is read as ""',
    ],
  },
  {
    name: "refuses a missing env file",
    text: "services:\n  a: {image: x, env_file: [{path: a.env, required: false}, b.env]}\n",
    want: ['stack.yml:2:60: found no env file "b.env": create it, or set "required: false"'],
  },
  {
    name: "does not let global services have replicas",
    text: "services:\n  a: {image: x, deploy: {mode: global, replicas: 2}}\n",
    want: [
      'stack.yml:2:32: found "replicas" with mode "global", which runs one task on every node: remove one of the two',
    ],
  },
];

for (const { name, text, want } of complaints) {
  test(`readStack() ${name}`, () => assert.deepEqual(problems(text), want));
}

test("readStack() leaves services of other profiles out", () => {
  const text = "services:\n  a: {image: x}\n  b: {image: x, profiles: [dev]}\n";
  const names = (profiles: string[]): string[] => {
    const result = read(text, profiles);
    return result.ok ? result.stack.services.map(({ Name }) => Name) : [];
  };
  assert.deepEqual(names([]), ["shop_a"]);
  assert.deepEqual(names(["dev"]), ["shop_a", "shop_b"]);
});

test("readStack() names the networks that must exist already", () => {
  const result = read(
    "services: {a: {image: x, networks: [n, host]}}\nnetworks: {n: {external: {name: real}}, host: {external: true}}\n",
  );
  assert.deepEqual(result.ok && result.stack.externalNetworks, ["host", "real"]);
  assert.deepEqual(result.ok && result.stack.networks, []);
});

function container(service: string): Partial<ContainerSpec> {
  const result = read(`services:\n  a: {image: x, ${service}}\n`);
  return (result.ok && result.stack.services[0]?.TaskTemplate.ContainerSpec) || {};
}

test("readStack() does not drop a capability that it adds", () => {
  const found = container("cap_add: [net_admin], cap_drop: [CAP_NET_ADMIN, chown, CHOWN]");
  assert.deepEqual(found.CapabilityAdd, ["CAP_NET_ADMIN"]);
  assert.deepEqual(found.CapabilityDrop, ["CAP_CHOWN"]);
});

test("readStack() fills variables without a value from the environment, like the client", () => {
  const found = container("environment: [TAG, EMPTY=, OTHER, 'TAG2=$TAG']");
  assert.deepEqual(found.Env, ["EMPTY=", "OTHER", "TAG2=2", "TAG=2"]);
  assert.deepEqual(container("environment: {TAG: ''}").Env, ["TAG=2"]);
});
