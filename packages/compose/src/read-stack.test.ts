// biome-ignore-all lint/suspicious/noTemplateCurlyInString: stack files hold variables.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { ContainerSpec } from "@gam/state";
import { dependenciesFirst } from "./deploy-order.ts";
import { withObjects } from "./object-spec.ts";
import { readStack, type StackFile, type StackResult } from "./read-stack.ts";
import { showProblem } from "./reading/problem.ts";
import { showFile } from "./show-file.ts";
import type { Stack } from "./spec.ts";

const folder = new URL("../testdata/", import.meta.url);

/** What is sent for a stack. The id of a secret or config is `id of NAME`. */
function bodies(stack: Stack): object {
  const { networks, secrets, configs, services } = stack;
  const idsOf = (uses: readonly { readonly name: string }[]): Map<string, string> =>
    new Map(uses.map(({ name }) => [name, `id of ${name}`]));
  const whole = services.map((service) =>
    withObjects(service, { secrets: idsOf(service.secrets), configs: idsOf(service.configs) }),
  );
  return {
    networks: networks.map(({ body }) => body),
    secrets: secrets.map(({ body }) => body),
    configs: configs.map(({ body }) => body),
    services: whole,
  };
}

/** The docker client ignores the keys that become labels of gam. */
function asSwarm(stack: Stack): Stack {
  const services = stack.services.map((service) => {
    const all = Object.entries(service.spec.Labels ?? {});
    const Labels = Object.fromEntries(all.filter(([name]) => !name.startsWith("gam.")));
    return { ...service, spec: { ...service.spec, Labels } };
  });
  return { ...stack, services };
}

/** Reads all stack files of a folder below testdata. */
function readFolder(name: string, own?: StackFile): Extract<StackResult, { ok: true }> {
  const here = new URL(`${name}/`, folder);
  const files = readdirSync(here)
    .filter((file) => file.endsWith(".yml"))
    .map((file) => ({ name: file, text: readFileSync(new URL(file, here), "utf8") }));
  const result = readStack(own === undefined ? files : [own], {
    projectName: "shop",
    environment: { HOME: "/home/me", TAG: "2" },
    workingDir: "/srv/stack",
    readFile: (path) => {
      const url = new URL(path.replace("/srv/stack/", ""), here);
      return existsSync(url) ? readFileSync(url) : undefined;
    },
  });
  assert.ok(result.ok, JSON.stringify(result));
  return result;
}

/** Each folder has stack files and `want.json`: the docker client's requests for them. */
for (const name of readdirSync(folder)) {
  test(`readStack() gives what the docker client sends: ${name}`, () => {
    const want = JSON.parse(readFileSync(new URL(`${name}/want.json`, folder), "utf8"));
    assert.deepEqual(bodies(asSwarm(readFolder(name).stack)), want);
  });

  test(`showFile() gives a file that means the same: ${name}`, () => {
    const { file, stack } = readFolder(name);
    const again = readFolder(name, { name: "shown.yml", text: showFile(file) });
    assert.deepEqual(bodies(again.stack), bodies(stack));
    assert.equal(showFile(again.file), showFile(file));
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

function labelsOf(text: string): Record<string, string | undefined> {
  const result = read(text);
  assert.ok(result.ok, JSON.stringify(result));
  return Object.fromEntries(
    result.stack.services.map(({ spec }) => [spec.Name, spec.Labels?.["gam.depends_on"]]),
  );
}

test("depends_on becomes a label, in its short form and in its long one", () => {
  const db = "db: {image: x}\n  job: {image: x, deploy: {mode: replicated-job}}";
  assert.deepEqual(labelsOf(`services:\n  ${db}\n  web: {image: x, depends_on: [db, job]}\n`), {
    shop_db: undefined,
    shop_job: undefined,
    shop_web: "db:started, job:started",
  });
  const long = `
      db: {condition: service_healthy, required: false}
      job: {condition: service_completed_successfully}
      gone: {required: false}`;
  const text = `services:\n  ${db}\n  web:\n    image: x\n    depends_on:${long}\n`;
  const want = "db:healthy?, job:completed, gone:started?";
  assert.equal(labelsOf(text).shop_web, want);
});

test("keys that Swarm does not know become labels", () => {
  const result = read(`
services:
  a:
    image: x
    privileged: true
    shm_size: 64m
    pid: host
    ipc: private
    userns_mode: host
    cgroup_parent: /batch
    security_opt: [label=disable, "apparmor:unconfined"]
    devices: ["/dev/snd", {source: /dev/sda, target: /dev/xvda, permissions: r}]
    network_mode: none
    gpus: [{count: 1}]
    deploy: {resources: {reservations: {devices: [{capabilities: [gpu, utility], count: 2}]}}}
  b: {image: x, network_mode: host}
`);
  assert.ok(result.ok, JSON.stringify(result));
  const [a, b] = result.stack.services;
  const own = Object.entries(a?.spec.Labels ?? {}).filter(([name]) => name.startsWith("gam."));
  assert.deepEqual(Object.fromEntries(own.map(([name, value]) => [name.slice(14), value])), {
    network: "none",
    privileged: "true",
    devices: "/dev/snd,/dev/sda:/dev/xvda:r",
    pid: "host",
    ipc: "private",
    userns: "host",
    cgroup_parent: "/batch",
    security_opt: "label=disable,apparmor:unconfined",
    shm_size: "67108864",
    gpus: "gpu,utility",
  });
  assert.deepEqual(a?.spec.TaskTemplate.Resources?.Reservations?.GenericResources, [
    { DiscreteResourceSpec: { Kind: "NVIDIA-GPU", Value: 3 } },
  ]);
  assert.deepEqual(a?.spec.TaskTemplate.Networks, []);
  assert.deepEqual(b?.spec.TaskTemplate.Networks, [{ Target: "host" }]);
  assert.deepEqual(result.stack.networks, []);
});

test("all GPUs of a host are one GPU in Swarm's spec, and a label", () => {
  const result = read("services:\n  a: {image: x, gpus: all}\n");
  assert.ok(result.ok, JSON.stringify(result));
  const [a] = result.stack.services;
  assert.equal(a?.spec.Labels?.["gam.container.gpus.all"], "true");
  assert.deepEqual(a?.spec.TaskTemplate.Resources?.Reservations?.GenericResources, [
    { DiscreteResourceSpec: { Kind: "NVIDIA-GPU", Value: 1 } },
  ]);
});

test("the network mode of another service makes a pod, created after its init containers", () => {
  const result = read(`
services:
  a: {image: x, network_mode: "service:web"}
  web: {image: x}
  zinit: {image: x, deploy: {labels: {gam.pod: web, gam.pod.role: init}}}
`);
  assert.ok(result.ok, JSON.stringify(result));
  const [a] = result.stack.services;
  assert.equal(a?.spec.Labels?.["gam.pod"], "web");
  assert.deepEqual(a?.spec.TaskTemplate.Networks, []);
  const names = dependenciesFirst(result.stack.services).map(({ spec }) => spec.Name);
  assert.deepEqual(names, ["shop_zinit", "shop_web", "shop_a"]);
});

test("services are put after those that they wait for", () => {
  const result = read(
    "services:\n  a: {image: x, depends_on: [c]}\n  b: {image: x}\n  c: {image: x, depends_on: [d]}\n  d: {image: x}\n",
  );
  assert.ok(result.ok);
  const names = dependenciesFirst(result.stack.services).map(({ spec }) => spec.Name);
  assert.deepEqual(names, ["shop_d", "shop_c", "shop_a", "shop_b"]);
});

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
    want: ['stack.yml:1:11: found no closing "]": add it'],
  },
  {
    name: "refuses the same key twice",
    text: "services:\n  a: {image: x}\n  a: {image: y}\n",
    want: ['stack.yml:3:3: found the key "a" twice, first in line 2: remove one of them'],
  },
  {
    name: "refuses an empty file",
    text: "# nothing\n",
    want: ['stack.yml:1:1: found an empty file: write at least "services:"'],
  },
  {
    name: "says one sentence about a wrong indent",
    text: "services:\n  a:\n    image: x\n   ports: []\n    tty: true\n",
    want: [
      'stack.yml:4:4: found a wrong indent at "ports:": keys of one map begin in the same column',
    ],
  },
  {
    name: "names the place where a quote was opened",
    text: "services:\n  a:\n    image: 'x\n    tty: true\n",
    want: ["stack.yml:3:12: found no closing quote: add it"],
  },
  {
    name: "says one sentence about a tab",
    text: "services:\n\ta:\n\t\timage: x\n",
    want: ["stack.yml:2:1: found a tab as indentation: use spaces"],
  },
  {
    name: "hints at paths of Windows",
    text: "services:\n  a: {image: x, volumes: ['C:/data:/x', {type: bind, source: 'D:\\y', target: /y}]}\n",
    want: [
      'stack.yml:2:27: found the Windows path "C:/data": nodes are Linux hosts: write a path such as /srv/data',
      'stack.yml:2:41: found the Windows path "D:\\y": nodes are Linux hosts: write a path such as /srv/data',
    ],
  },
  {
    name: "names the variable that an image or a constraint lacks",
    text: "services:\n  a: {image: 'reg/${NONE}:1', deploy: {placement: {constraints: ['node.labels.a == ${NONE}']}}}\n",
    want: [
      'stack.yml:2:14: image "reg/:1" is not valid: variable "NONE" is not set',
      'stack.yml:2:66: constraint "node.labels.a == " is not valid: variable "NONE" is not set',
      'warning stack.yml:2:14: variable "NONE" is not set: it is read as ""',
    ],
  },
  {
    name: "tells warnings of one kind together",
    text: "services:\n  a: {image: x, tty: $A,\n    user: '$B$C'}\n  b: {image: x,\n    container_name: x}\n  c: {image: x,\n    container_name: $A}\n",
    want: [
      'stack.yml:2:22: wanted true or false, found ""',
      'warning stack.yml:2:22: variables that are not set are read as "": A, B, C (also in line 3)',
      'warning stack.yml:5:5: "container_name" is ignored: the cluster names containers after their service and slot (also in line 7)',
    ],
  },
  {
    name: "does not warn of restart: no",
    text: "services:\n  a: {image: x, restart: 'no'}\n",
    want: [],
  },
  {
    name: "refuses what the API would refuse, with its place",
    text: "services:\n  a.b: {image: x}\n  b: {image: x, deploy: {resources: {limits: {memory: 1M}}}}\n  c: {image: x, ports: ['80:80']}\n  d: {image: x, ports: ['80:81']}\n",
    want: [
      'stack.yml:2:8: service "shop_a.b": name must be valid as a DNS name component',
      "stack.yml:3:6: invalid memory value 1048576: Must be at least 4MiB",
      'stack.yml:5:6: port 80/tcp is also published by service "shop_c": change one of them',
    ],
  },
  {
    name: "refuses networks of one host",
    text: "services: {a: {image: x}}\nnetworks: {default: {driver: bridge}}\n",
    want: [
      'stack.yml:2:21: network "shop_default" has the driver "bridge", which services cannot use: remove "driver", or write "overlay"',
    ],
  },
  {
    name: "judges names and contents of secrets and configs",
    text: "services: {a: {image: x}}\nsecrets:\n  a: {file: a, name: 'x-${NONE:?make it}'}\n  b: {environment: NONE}\n  c: {}\n  d: {external: true, file: a}\nconfigs:\n  e: {content: '${TAG}', driver: x}\n",
    want: [
      'stack.yml:3:6: found no file "a" for this secret: create it',
      'stack.yml:3:22: variable "NONE" is required: make it',
      'stack.yml:4:6: found no variable "NONE" for this secret: set it',
      'stack.yml:5:6: found a secret without content: add "file", "environment", "content" or "external: true"',
      'stack.yml:6:6: found "external" and "file": remove one of them',
      'stack.yml:8:6: "driver" is not supported: only secrets have one',
    ],
  },
  {
    name: "refuses names of secrets that a cluster refuses",
    text: "services: {a: {image: x}}\nsecrets:\n  a: {content: x, name: 'a b'}\n  b: {content: ''}\n  c: {content: x, name: shop_d}\n  d: {content: x}\n",
    want: [
      'stack.yml:3:6: secret name "a b" is not valid: use up to 64 letters, digits, "-", "_" and "."',
      'stack.yml:4:6: secret "shop_b" has 0 bytes: wanted 1 to 511999',
      'stack.yml:6:6: secret "shop_d" is also in line 5: change one name',
    ],
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
    name: "refuses each wrong template at its own line",
    text: "services:\n  a:\n    image: x\n    hostname: '{{.No}}'\n    environment:\n      A: fine\n      B: '{{.Node.Hostname}'\n    volumes:\n      - {type: volume, target: '/{{end}}'}\n  b: {image: x, environment: ['C={{.Task}}', 'D={{x}}']}\n",
    want: [
      'stack.yml:4:15: the hostname is not a valid template: template: expansion:1:2: executing "expansion" at <.No>: can\'t evaluate field No in type *template.Context',
      "stack.yml:7:7: variable \"B\" is not a valid template: template: expansion:1: bad character U+007D '}'",
      'stack.yml:9:9: the target "/{{end}}" is not a valid template: template: expansion:1: unexpected {{end}}',
      'stack.yml:10:46: variable "D" is not a valid template: template: expansion:1: function "x" not defined',
    ],
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
    name: "does not take what all objects have for something that is defined",
    text: "services:\n  constructor: {image: x, networks: [toString], volumes: ['valueOf:/v'], secrets: [constructor]}\n",
    want: [
      'stack.yml:2:38: network "toString" is not defined: add it under the top-level "networks"',
      'stack.yml:2:59: volume "valueOf" is not defined: add it under the top-level "volumes"',
      'stack.yml:2:84: secret "constructor" is not defined: add it under the top-level "secrets"',
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
    name: "refuses undefined secrets and targets that are there twice",
    text: "services:\n  a: {image: x, secrets: [s, {source: t, target: u}, u], configs: [s]}\nsecrets: {t: {content: x}, u: {content: x}}\n",
    want: [
      'stack.yml:2:27: secret "s" is not defined: add it under the top-level "secrets"',
      'stack.yml:2:54: found the target "u" twice, first in line 2: change one of them',
      'stack.yml:2:68: config "s" is not defined: add it under the top-level "configs"',
    ],
  },
  {
    name: "warns of keys that a cluster ignores",
    text: "services:\n  a: {image: x, container_name: y, links: [b]}\n",
    want: [
      'warning stack.yml:2:17: "container_name" is ignored: the cluster names containers after their service and slot',
      'warning stack.yml:2:36: "links" is ignored: use a network that both services share; a service is found by its name',
    ],
  },
  {
    name: "refuses services that wait for each other, with the path",
    text: "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: {c: {}}}\n  c: {image: x, depends_on: [a]}\n",
    want: [
      "stack.yml:2:30: services wait for each other: a -> b -> c -> a: remove one of these dependencies",
    ],
  },
  {
    name: "refuses conditions that can never hold",
    text: [
      "services:",
      "  a:",
      "    image: x",
      "    depends_on:",
      "      b: {condition: service_healthy}",
      "      c: {condition: service_completed_successfully, restart: true}",
      "      d: {condition: service_started}",
      "      e:",
      "  b: {image: x, healthcheck: {disable: true}}",
      "  c: {image: x}",
      "  d: {image: x}",
      "",
    ].join("\n"),
    want: [
      'stack.yml:5:10: the health check of "b" is disabled: enable it, or write service_started',
      'stack.yml:6:10: "c" is started again whenever it ends, so it never completes: set its deploy.mode to replicated-job, or its deploy.restart_policy.condition to on-failure',
      'stack.yml:8:9: service "e" is not deployed: add it, enable its profile, or write "required: false"',
      'warning stack.yml:6:10: "restart" of depends_on is ignored: tasks run on when "c" is updated',
    ],
  },
  {
    name: "refuses devices and networks that it cannot give",
    text: [
      "services:",
      "  a:",
      "    image: x",
      "    network_mode: container:b",
      "    deploy: {resources: {reservations: {devices: [{capabilities: [tpu]}]}}}",
      "  b: {image: x, network_mode: host, networks: [default]}",
      "  c: {image: x, gpus: some}",
      "  d: {image: x, devices: [/etc]}",
      "",
    ].join("\n"),
    want: [
      'stack.yml:4:19: network_mode "container:b" is not supported: use host, none or service:NAME, or list networks',
      'stack.yml:5:51: only GPUs can be reserved: write "capabilities: [gpu]", or reserve generic_resources',
      'stack.yml:6:31: found "networks" and "network_mode": remove one of the two',
      'stack.yml:7:23: count "some" is not supported: write how many GPUs a task needs, from 1, or all',
      'stack.yml:8:6: label "gam.container.devices" has the value "/etc": use a device such as /dev/snd or /dev/sda:/dev/xvda:r; several with commas between them, or leave the label out (then it has none)',
    ],
  },
  {
    name: "refuses pods that cannot be, each at its place",
    text: [
      "services:",
      "  a: {image: x, network_mode: service:gone}",
      "  b: {image: x, network_mode: service:b}",
      "  c: {image: x, network_mode: service:web, deploy: {labels: {gam.pod: web}}}",
      "  web: {image: x}",
      "",
    ].join("\n"),
    want: [
      'stack.yml:2:31: service "gone" is not deployed: add it, or enable its profile',
      'stack.yml:3:31: "b" cannot run in its own network: name another service',
      'stack.yml:4:31: found "network_mode" and the label "gam.pod": remove one of the two',
    ],
  },
  {
    name: "refuses what a part of a pod cannot have, and pods that do not fit together",
    text: [
      "services:",
      "  a: {image: x, network_mode: service:web, ports: [80:80]}",
      "  b: {image: x, network_mode: service:web, deploy: {mode: global}}",
      "  web: {image: x}",
      "",
    ].join("\n"),
    want: [
      'stack.yml:2:6: the ports of a part of a pod (label "gam.pod") cannot be published: publish them at "web", whose network it is in',
      "stack.yml:3:6: service shop_b is a part of the pod of shop_web, but it is global and that is replicated: use the same mode",
    ],
  },
  {
    name: "refuses depends_on beside its label",
    text: "services:\n  a: {image: x, depends_on: [b], deploy: {labels: {gam.depends_on: b}}}\n  b: {image: x}\n",
    want: [
      'stack.yml:2:30: found "depends_on" and the label "gam.depends_on": remove one of the two',
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
    return result.ok ? result.stack.services.map(({ spec }) => spec.Name) : [];
  };
  assert.deepEqual(names([]), ["shop_a"]);
  assert.deepEqual(names(["dev"]), ["shop_a", "shop_b"]);
});

test("readStack() names the networks that must exist already", () => {
  const result = read(
    "services: {a: {image: x, networks: [n, host]}}\nnetworks: {n: {external: {name: real}}, host: {external: true}}\n",
  );
  const names = result.ok ? result.stack.externalNetworks.map(({ name }) => name) : [];
  assert.deepEqual(names, ["host", "real"]);
  assert.deepEqual(result.ok && result.stack.networks, []);
});

function container(service: string): Partial<ContainerSpec> {
  const result = read(`services:\n  a: {image: x, ${service}}\n`);
  return (result.ok && result.stack.services[0]?.spec.TaskTemplate.ContainerSpec) || {};
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

test("readStack() sends options of mounts that the client does not know", () => {
  const { Mounts } = container(
    "volumes: [{type: image, source: y, target: /a, image: {subpath: etc}}, {type: bind, source: /b, target: /b, bind: {recursive: disabled}}, {type: tmpfs, target: /c, tmpfs: {mode: 01777}}]",
  );
  assert.deepEqual(Mounts, [
    { Type: "image", Source: "y", Target: "/a", ImageOptions: { Subpath: "etc" } },
    { Type: "bind", Source: "/b", Target: "/b", BindOptions: { NonRecursive: true } },
    { Type: "tmpfs", Target: "/c", TmpfsOptions: { Mode: 0o1777 } },
  ]);
});
