import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { after, before, test } from "node:test";
import { GamError } from "@gam/core";
import { type Answered, Rig } from "./testing/rig.ts";

let rig: Rig;
let lonely: Rig;

before(async () => {
  rig = await Rig.start(3);
  lonely = await Rig.start(0);
});
after(async () => {
  await rig.stop();
  await lonely.stop();
});

const spec = (more: object = {}): object => ({
  TaskTemplate: { ContainerSpec: { Image: "tiny:1" } },
  ...more,
});

async function create(name: string, more: object = {}): Promise<string> {
  const answer = await rig.call("POST", "/services/create", spec({ Name: name, ...more }));
  assert.equal(answer.status, 201, answer.text);
  return answer.body.ID;
}

const notManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

const outside: readonly [method: string, path: string, status: number, message: string][] = [
  ["GET", "/v1.41/nodes", 503, notManager],
  ["GET", "/v1.41/services?status=true", 503, notManager],
  ["GET", "/v1.41/services/x?insertDefaults=true", 503, notManager],
  ["DELETE", "/v1.41/services/x", 503, notManager],
  ["GET", "/v1.41/tasks", 503, notManager],
  ["GET", "/v1.41/tasks/xyz", 503, notManager],
  ["GET", "/v1.41/secrets", 503, notManager],
  ["DELETE", "/v1.41/configs/x", 503, notManager],
  ["POST", "/v1.41/secrets/create", 503, notManager],
  ["GET", "/v1.41/swarm", 503, notManager],
  ["GET", "/v1.41/swarm/unlockkey", 503, notManager],
  ["POST", "/v1.41/swarm/unlock", 503, notManager],
  ["POST", "/v1.41/swarm/update?version=1", 503, notManager],
  ["POST", "/v1.41/swarm/leave", 503, "This node is not part of a swarm"],
  [
    "GET",
    "/v1.99/info",
    400,
    "client version 1.99 is too new. Maximum supported API version is 1.44",
  ],
];

test("outside of a cluster, calls are refused in Swarm's words", async () => {
  for (const [method, path, status, message] of outside) {
    const answer = await lonely.call(method, path);
    assert.deepEqual([answer.status, answer.body], [status, { message }], `${method} ${path}`);
    assert.equal(answer.headers["content-type"], "application/json");
  }
  const made = await lonely.call("POST", "/networks/create", { Name: "x", Driver: "overlay" });
  assert.deepEqual([made.status, made.body.message], [500, notManager]);
});

test("a client that is too old gets its refusal in plain text, as it reads errors", async () => {
  const answer = await lonely.call("GET", "/v1.11/info");
  assert.deepEqual(
    [answer.status, answer.text],
    [
      400,
      "client version 1.11 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n",
    ],
  );
  assert.equal(answer.headers["content-type"], "text/plain; charset=utf-8");
});

const rpc = (code: string, text: string): string => `rpc error: code = ${code} desc = ${text}`;
const badVersion = (kind: string): string =>
  `invalid ${kind} version '': strconv.ParseUint: parsing "": invalid syntax`;
const nodeSpec = { Labels: {}, Role: "manager", Availability: "active" };

interface Refused {
  readonly call: readonly [method: string, path: string, body?: unknown];
  readonly status: number;
  readonly message: string;
}

const refused: readonly Refused[] = [
  {
    call: ["POST", "/services/create"],
    status: 400,
    message: "got EOF while reading request body",
  },
  {
    call: ["POST", "/services/create", "{bad"],
    status: 400,
    message: "invalid character 'b' looking for beginning of object key string",
  },
  {
    call: ["POST", "/services/create", {}],
    status: 400,
    message: "mismatched Runtime and *Spec fields",
  },
  {
    call: ["POST", "/services/create", spec({ Name: "taken" })],
    status: 409,
    message: rpc(
      "AlreadyExists",
      "name conflicts with an existing object: service taken already exists",
    ),
  },
  {
    call: [
      "POST",
      "/services/create",
      {
        Name: "c",
        TaskTemplate: {
          ContainerSpec: { Image: "tiny:1" },
          Placement: { Constraints: ["bogus"] },
        },
      },
    ],
    status: 500,
    message: rpc("Unknown", "constraint expected one operator from ==, !="),
  },
  {
    call: [
      "POST",
      "/services/create",
      { TaskTemplate: { ContainerSpec: { Image: "a" }, Networks: [{ Target: "nosuch" }] } },
    ],
    status: 500,
    message: "network nosuch not found",
  },
  {
    call: [
      "POST",
      "/services/create",
      { TaskTemplate: { ContainerSpec: { Image: "a", Secrets: [{ SecretID: "x" }] } } },
    ],
    status: 400,
    message: "rpc error: code = InvalidArgument desc = malformed secret reference",
  },
  { call: ["GET", "/services/nosuch"], status: 404, message: "service nosuch not found" },
  { call: ["DELETE", "/services/nosuch"], status: 404, message: "service nosuch not found" },
  {
    call: ["POST", "/services/nosuch/update?version=1", spec()],
    status: 404,
    message: "service nosuch not found",
  },
  {
    call: ["POST", "/services/taken/update", spec({ Name: "taken" })],
    status: 400,
    message: badVersion("service"),
  },
  {
    call: ["POST", "/services/taken/update?version=1", spec({ Name: "taken" })],
    status: 500,
    message: rpc("Unknown", "update out of sequence"),
  },
  {
    call: ["POST", "/services/taken/update?version=1", spec({ Name: "other" })],
    status: 501,
    message: rpc("Unimplemented", "renaming services is not supported"),
  },
  {
    call: [
      "POST",
      "/services/taken/update?version=1",
      spec({ Name: "taken", Mode: { Global: {} } }),
    ],
    status: 501,
    message: rpc("Unimplemented", "service mode change is not allowed"),
  },
  {
    call: ["POST", "/services/taken/update?version=1&rollback=bogus", spec({ Name: "taken" })],
    status: 500,
    message: "unrecognized rollback option bogus",
  },
  {
    call: [
      "POST",
      "/services/taken/update?version=1&registryAuthFrom=bogus",
      spec({ Name: "taken" }),
    ],
    status: 500,
    message: "unsupported registryAuthFrom value",
  },
  {
    call: ["GET", '/services?filters={"bogus":{"1":true}}'],
    status: 400,
    message: "Invalid filter 'bogus'",
  },
  {
    call: ["GET", "/services/taken/logs?tail=2"],
    status: 500,
    message: "Bad parameters: you must choose at least one stream",
  },
  {
    call: ["GET", "/services/nosuch/logs?stdout=1"],
    status: 404,
    message: "service nosuch not found",
  },
  { call: ["GET", "/tasks/nosuch"], status: 404, message: "task nosuch not found" },
  {
    call: ["GET", '/tasks?filters={"service":{"nosuch":true}}'],
    status: 404,
    message: "service nosuch not found",
  },
  {
    call: ["GET", '/tasks?filters={"desired-state":{"bogus":true}}'],
    status: 500,
    message: "Invalid desired-state filter: 'bogus'",
  },
  {
    call: ["GET", '/tasks?filters={"up-to-date":{"true":true}}'],
    status: 400,
    message: "Invalid filter 'up-to-date'",
  },
  {
    call: ["GET", "/nodes?filters=notjson"],
    status: 500,
    message: "invalid character 'o' in literal null (expecting 'u')",
  },
  { call: ["GET", "/nodes/nosuch"], status: 404, message: "node nosuch not found" },
  {
    call: ["DELETE", "/nodes/host2"],
    status: 400,
    message: rpc(
      "FailedPrecondition",
      "node bbb0000000000000000000000 is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal",
    ),
  },
  {
    call: ["POST", "/nodes/host2/update?version=0", nodeSpec],
    status: 500,
    message: rpc("Unknown", "update out of sequence"),
  },
  {
    call: ["POST", "/nodes/host2/update", nodeSpec],
    status: 400,
    message: badVersion("node"),
  },
  {
    call: ["POST", "/nodes/host2/update?version=1", { ...nodeSpec, Role: "boss" }],
    status: 400,
    message: 'invalid Role: "boss"',
  },
  {
    call: ["POST", "/swarm/init", {}],
    status: 503,
    message:
      'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
  },
  {
    call: ["POST", "/swarm/update", {}],
    status: 400,
    message: badVersion("swarm"),
  },
  {
    call: ["POST", "/swarm/update?version=0", {}],
    status: 500,
    message: rpc("Unknown", "update out of sequence"),
  },
  {
    call: ["POST", "/swarm/update?version=0", { Name: "other" }],
    status: 400,
    message: 'swarm spec must be named "default"',
  },
  {
    call: ["POST", "/swarm/update?version=1", { CAConfig: { SigningCAKey: "k" } }],
    status: 501,
    message: "Cannot use an external certificate or key: the cluster creates its own root key",
  },
  { call: ["GET", "/secrets/s"], status: 404, message: "secret s not found" },
  {
    call: ["POST", "/networks/create", { Name: "bad/name", Driver: "overlay" }],
    status: 400,
    message: rpc("InvalidArgument", "name must be valid as a DNS name component"),
  },
  {
    call: ["POST", "/networks/create", { Name: "held", Driver: "overlay" }],
    status: 409,
    message: "network with name held already exists",
  },
  {
    call: ["GET", "/networks/nosuch?scope=swarm"],
    status: 404,
    message: "network nosuch not found",
  },
];

test("in a cluster, each refusal has Swarm's status and text", async () => {
  await create("taken");
  await rig.call("POST", "/networks/create", { Name: "held", Driver: "overlay" });
  for (const { call, status, message } of refused) {
    const [method, path, body] = call;
    const answer = await rig.call(method, `/v1.41${encodeURI(path)}`, body);
    assert.deepEqual([answer.status, answer.body], [status, { message }], `${method} ${path}`);
  }
});

test("a network that a service uses stays", async () => {
  const { body } = await rig.call("POST", "/networks/create", { Name: "used", Driver: "overlay" });
  const user = await create("user", { Networks: [{ Target: "used" }] });
  const stored = (await rig.call("GET", "/services/user")).body;
  assert.deepEqual(stored.Spec.Networks, [{ Target: body.Id }]);
  const refusal = await rig.call("DELETE", "/networks/used");
  assert.equal(refusal.status, 400);
  assert.equal(
    refusal.body.message,
    `rpc error: code = FailedPrecondition desc = network ${body.Id} is in use by service ${user}`,
  );
  await rig.call("DELETE", `/services/${user}`);
  assert.equal((await rig.call("DELETE", "/networks/used")).status, 204);
});

test("a reference is an id, a name or the beginning of one id", async () => {
  const id = await create("named");
  for (const ref of [id, "named", id.slice(0, -1)]) {
    const answer = await rig.call("GET", `/services/${ref}`);
    assert.equal(answer.body?.ID, id, `${ref}: ${answer.text}`);
  }
  const several = await rig.call("GET", `/services/${id.slice(0, 3)}`);
  assert.equal(several.status, 400);
  assert.match(several.body.message, /^service f00 is ambiguous \(\d+ matches found\)$/);
});

test("tasks are listed by service, node, slot, label and template", async () => {
  const id = await create("listed", {
    Labels: { tier: "front" },
    Mode: { Replicated: { Replicas: 3 } },
  });
  const listed = async (filters: object): Promise<string[]> => {
    const path = `/tasks?filters=${encodeURIComponent(JSON.stringify(filters))}`;
    const { body } = await rig.call("GET", path);
    return body.map((task: { Slot: number }) => task.Slot);
  };
  assert.deepEqual(await listed({ service: { listed: true } }), [1, 2, 3]);
  assert.deepEqual(await listed({ service: [id], node: ["host2"] }), [2]);
  assert.deepEqual(await listed({ name: { "listed.3": true } }), [3]);
  assert.deepEqual(await listed({ label: { "tier=front": true } }), [1, 2, 3]);
  assert.deepEqual(await listed({ service: [id], "desired-state": ["shutdown"] }), []);

  const { Version } = (await rig.call("GET", `/services/${id}`)).body;
  const other = { Name: "listed", TaskTemplate: { ContainerSpec: { Image: "tiny:2" } } };
  const path = `/services/${id}/update?version=${Version.Index}`;
  const updated = await rig.call("POST", path, { ...other, Mode: { Replicated: { Replicas: 1 } } });
  assert.deepEqual([updated.status, updated.body], [200, { Warnings: null }]);
  assert.deepEqual(await listed({ service: [id], "_up-to-date": ["true"] }), [1]);
  assert.deepEqual(await listed({ service: [id], "desired-state": ["shutdown"] }), [1]);
});

test("answers have the fields of the Engine API, and none of gam's own", async () => {
  await create("shown");
  const lists = ["/services?status=true", "/tasks", "/nodes", "/networks", "/info", "/swarm"];
  for (const path of lists) {
    const { text } = await rig.call("GET", path);
    assert.ok(!text.includes('"Gam"') && !text.includes("Sealed"), path);
  }
  const { body } = await rig.call("GET", '/services?status=true&filters={"name":["shown"]}');
  assert.deepEqual(body[0].ServiceStatus, { RunningTasks: 1, DesiredTasks: 1, CompletedTasks: 0 });
  const [task] = (await rig.call("GET", '/tasks?filters={"name":["shown"]}')).body;
  assert.deepEqual(task.Status.PortStatus, {});
  assert.equal("Runtime" in task.Spec, false);
});

test("tasks of a node that is down do not count as running", async () => {
  await create("spread", { Mode: { Replicated: { Replicas: 3 } } });
  const [, , third] = rig.door.store.nodes();
  assert.ok(third);
  rig.door.apply([{ kind: "judgeNode", id: third.ID, status: { State: "down", Message: "" } }]);
  rig.door.reachable = () => false;
  const { body } = await rig.call("GET", '/services?status=true&filters={"name":["spread"]}');
  assert.deepEqual(body[0].ServiceStatus, { RunningTasks: 2, DesiredTasks: 3, CompletedTasks: 0 });
  const seen = (await rig.call("GET", `/nodes/${third.ID}`)).body;
  assert.equal(seen.ManagerStatus.Reachability, "unreachable");
  rig.door.reachable = () => true;
  rig.door.apply([{ kind: "judgeNode", id: third.ID, status: { State: "ready" } }]);
});

test("a rollback swaps the spec with the one before", async () => {
  const id = await create("rolled");
  const index = async (): Promise<number> =>
    (await rig.call("GET", `/services/${id}`)).body.Version.Index;
  const none = await rig.call(
    "POST",
    `/services/${id}/update?version=${await index()}&rollback=previous`,
    spec({ Name: "rolled" }),
  );
  const message = rpc("FailedPrecondition", `service ${id} does not have a previous spec`);
  assert.deepEqual([none.status, none.body], [400, { message }]);

  const second = { Name: "rolled", TaskTemplate: { ContainerSpec: { Image: "tiny:2" } } };
  await rig.call("POST", `/services/${id}/update?version=${await index()}`, second);
  const image = async (): Promise<string[]> => {
    const { Spec, PreviousSpec } = (await rig.call("GET", `/services/${id}`)).body;
    return [Spec, PreviousSpec].map((one) => one.TaskTemplate.ContainerSpec.Image);
  };
  assert.deepEqual(await image(), ["tiny:2", "tiny:1"]);
  for (const want of [
    ["tiny:1", "tiny:2"],
    ["tiny:2", "tiny:1"],
  ]) {
    const path = `/services/${id}/update?version=${await index()}&rollback=previous`;
    assert.equal((await rig.call("POST", path, second)).status, 200);
    assert.deepEqual(await image(), want);
  }
});

test("credentials for pulls are kept with the spec and never shown", async () => {
  const headers = { "X-Registry-Auth": "c2VjcmV0" };
  const made = await rig.call("POST", "/services/create", spec({ Name: "private" }), headers);
  const kept = (): string => {
    const sealed = rig.door.store.service(made.body.ID)?.Gam.registryAuth;
    return Buffer.from(rig.door.opened(sealed, 0)).toString();
  };
  assert.equal(kept(), "c2VjcmV0");
  const { Version } = (await rig.call("GET", "/services/private")).body;
  const path = `/services/private/update?version=${Version.Index}&registryAuthFrom=spec`;
  await rig.call("POST", path, spec({ Name: "private", Labels: { a: "b" } }));
  assert.equal(kept(), "c2VjcmV0");
  assert.ok(!(await rig.call("GET", "/services/private")).text.includes("c2VjcmV0"));
  const update = async (query: string, more: Record<string, string>): Promise<void> => {
    const { Version: now } = (await rig.call("GET", "/services/private")).body;
    const to = `/services/private/update?version=${now.Index}${query}`;
    const answer = await rig.call("POST", to, spec({ Name: "private" }), more);
    assert.equal(answer.status, 200, answer.text);
  };
  await update("", { "X-Registry-Auth": "bmV3" });
  assert.equal(kept(), "bmV3");
  await update("&registryAuthFrom=previous-spec", {});
  assert.equal(kept(), "c2VjcmV0");
  await update("&rollback=previous", {});
  assert.equal(kept(), "bmV3");
});

test("join tokens rotate one at a time", async () => {
  const before = (await rig.call("GET", "/swarm")).body;
  const path = `/swarm/update?version=${before.Version.Index}&rotateWorkerToken=true&rotateManagerToken=false`;
  assert.equal((await rig.call("POST", path, before.Spec)).status, 200);
  const after = (await rig.call("GET", "/swarm")).body;
  assert.notEqual(after.JoinTokens.Worker, before.JoinTokens.Worker);
  assert.equal(after.JoinTokens.Manager, before.JoinTokens.Manager);
});

test("the root key rotates when ForceRotate grows, and the progress is shown", async () => {
  const before = (await rig.call("GET", "/swarm")).body;
  assert.equal(before.RootRotationInProgress, false);
  const rotated = { ...before.Spec, CAConfig: { ...before.Spec.CAConfig, ForceRotate: 1 } };
  const path = `/swarm/update?version=${before.Version.Index}`;
  assert.equal((await rig.call("POST", path, rotated)).status, 200);
  const stale = await rig.call("POST", path, rotated);
  assert.deepEqual(
    [stale.status, stale.body],
    [500, { message: rpc("Unknown", "update out of sequence") }],
  );
  const after = (await rig.call("GET", "/swarm")).body;
  assert.equal(after.RootRotationInProgress, true);
  assert.equal(after.Spec.CAConfig.ForceRotate, 1);
  assert.equal(after.TLSInfo.TrustRoot, before.TLSInfo.TrustRoot);
  assert.notEqual(after.JoinTokens.Manager, before.JoinTokens.Manager);
  assert.notEqual(after.TLSInfo.CertIssuerPublicKey, before.TLSInfo.CertIssuerPublicKey);
  const issuer = after.TLSInfo.CertIssuerPublicKey;
  const again = `/swarm/update?version=${after.Version.Index}`;
  assert.equal((await rig.call("POST", again, after.Spec)).status, 200);
  assert.equal((await rig.call("GET", "/swarm")).body.TLSInfo.CertIssuerPublicKey, issuer);
});

test("a write without a leader is refused with the reason", async () => {
  rig.door.failure = new GamError("NO_LEADER", "Cannot write: no leader is known");
  const answer: Answered = await rig.call("POST", "/services/create", spec({ Name: "late" }));
  rig.door.failure = undefined;
  assert.deepEqual(
    [answer.status, answer.body],
    [503, { message: "Cannot write: no leader is known" }],
  );
});

test("a body of more than 4 MiB is refused", async () => {
  const labels = { big: "x".repeat(5 * 1024 * 1024) };
  const answer = await rig.call("POST", "/services/create", spec({ Labels: labels }));
  assert.equal(answer.status, 413);
});

test("the socket is for its owner and its group", async () => {
  assert.equal((await stat(rig.socketPath)).mode & 0o777, 0o660);
});

test("ping answers with the API version, with and without an engine", async () => {
  for (const method of ["GET", "HEAD"]) {
    const { status, headers, text } = await rig.call(method, "/_ping");
    assert.deepEqual([status, text], [200, method === "GET" ? "OK" : ""]);
    assert.equal(headers["api-version"], "1.44");
    assert.equal(headers.swarm, "active/manager");
    assert.equal(headers.ostype, "linux");
  }
});

test("init and join go through the door, and gam's own calls beside them", async () => {
  const alone = await Rig.start(0);
  try {
    const bare = await alone.call("POST", "/swarm/join", {});
    assert.deepEqual(bare.body, { message: 'invalid ListenAddr "": invalid empty address' });
    const join = { ListenAddr: "0.0.0.0:2377", RemoteAddrs: ["10.88.0.1:7946"] };
    const wrong = await alone.call("POST", "/swarm/join", { ...join, JoinToken: "x" });
    assert.deepEqual(
      [wrong.status, wrong.body.message],
      [500, "invalid join token: Cannot read it"],
    );
    const none = await alone.call("POST", "/swarm/join", join);
    assert.deepEqual(
      [none.status, none.body.message],
      [500, "invalid join token: Cannot join: the token is empty"],
    );
    const { status } = await alone.call("POST", "/swarm/join", { ...join, JoinToken: "gam-1-x" });
    assert.equal(status, 200);
    assert.deepEqual(alone.door.joined, [
      {
        token: "gam-1-x",
        addresses: ["10.88.0.1:7946"],
        listenAddr: undefined,
        advertiseAddr: undefined,
        availability: "active",
      },
    ]);
    const last = await alone.call("POST", "/swarm/leave");
    assert.equal(last.status, 503);
    assert.equal((await alone.call("POST", "/gam/v1/leave", { force: true })).status, 200);
    assert.equal((await alone.call("GET", "/gam/v1/token")).status, 503);
  } finally {
    await alone.stop();
  }
  const status = (await rig.call("GET", "/gam/v1/status")).body;
  assert.equal(status.state, "active");
  const before = (await rig.call("GET", "/gam/v1/token")).body;
  const after = (await rig.call("POST", "/gam/v1/token/rotate", { role: "worker" })).body;
  assert.notEqual(after.worker, before.worker);
  assert.equal(after.manager, before.manager);
});

const ownRefusals: readonly { call: [string, unknown]; message: string }[] = [
  {
    call: ["/gam/v1/init", { advertizeAddr: "10.0.0.1" }],
    message:
      'Cannot read body: found unknown field "advertizeAddr". Known fields: listenAddr, advertiseAddr',
  },
  {
    call: ["/gam/v1/join", { token: "gam-1-x", role: "manager" }],
    message:
      'Cannot read body: found unknown field "role". Known fields: listenAddr, advertiseAddr, token, addresses',
  },
  {
    call: ["/gam/v1/join", { token: "gam-1-x", addresses: "10.0.0.1" }],
    message: 'Cannot read body.addresses: wanted a list, found "10.0.0.1"',
  },
  { call: ["/gam/v1/join", { token: "" }], message: "Cannot join: the token is empty" },
  {
    call: ["/gam/v1/join", {}],
    message: "Cannot read body.token: wanted a string, found undefined",
  },
  {
    call: ["/gam/v1/leave", { forced: true }],
    message: 'Cannot read body: found unknown field "forced". Known fields: force',
  },
  {
    call: ["/gam/v1/leave", { force: "yes" }],
    message: 'Cannot read body.force: wanted true or false, found "yes"',
  },
  { call: ["/gam/v1/leave", []], message: "Cannot read body: wanted an object, found a list" },
  {
    call: ["/gam/v1/token/rotate", { role: "leader" }],
    message: 'Cannot read body.role: wanted "worker" or "manager", found "leader"',
  },
];

test("gam's own calls refuse unknown fields by name", async () => {
  for (const { call, message } of ownRefusals) {
    const [path, body] = call;
    const answer = await lonely.call("POST", path, body);
    assert.deepEqual([answer.status, answer.body], [400, { message }], path);
  }
});

test("an invalid URL is refused in the shape of all refusals", async () => {
  const answer = await rig.call("GET", "/nodes/%ZZ");
  assert.deepEqual(
    [answer.status, Object.keys(answer.body), answer.headers["content-type"]],
    [400, ["message"], "application/json"],
  );
});
