import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { type Service, sealedIn } from "@gam/state";
import { type Answered, Rig } from "../testing/rig.ts";

let rig: Rig;
before(async () => {
  rig = await Rig.start(1);
});
after(() => rig.stop());

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const rpc = (code: string, text: string): string => `rpc error: code = ${code} desc = ${text}`;
const badName =
  "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]";

let round = 0;
beforeEach(() => {
  round += 1;
});

for (const kind of ["secret", "config"] as const) {
  const one = (): string => `${kind}${round}`;
  const limit = kind === "secret" ? 512_000 : 1_024_000;
  const size = `${kind} data must be larger than 0 and less than ${limit} bytes`;
  const reference = (id: string): object => {
    const File = { Name: "f", UID: "0", GID: "0", Mode: 292 };
    return kind === "secret"
      ? { Secrets: [{ File, SecretID: id, SecretName: one() }] }
      : { Configs: [{ File, ConfigID: id, ConfigName: one() }] };
  };
  const create = async (data: string, more: object = {}): Promise<string> => {
    const body = { Name: one(), Labels: { a: "1" }, Data: base64(data), ...more };
    const made = await rig.call("POST", `/${kind}s/create`, body);
    assert.equal(made.status, 201, made.text);
    return made.body.ID;
  };
  const seen = async (): Promise<Answered["body"]> =>
    (await rig.call("GET", `/${kind}s/${one()}`)).body;
  const update = async (body: object, version?: number): Promise<Answered> => {
    const { Version } = await seen();
    const path = `/${kind}s/${one()}/update?version=${version ?? Version.Index}`;
    return await rig.call("POST", path, body);
  };
  const serve = async (name: string, id: string): Promise<void> => {
    const TaskTemplate = { ContainerSpec: { Image: "tiny:1", ...reference(id) } };
    const made = await rig.call("POST", "/services/create", { Name: name, TaskTemplate });
    assert.equal(made.status, 201, made.text);
  };
  const stored = (name: string): Service => {
    const found = rig.door.store.services().find(({ Spec }) => Spec.Name === name);
    assert.ok(found);
    return found;
  };
  const tasksOf = (name: string): readonly string[] => {
    return rig.door.store.tasksOf(stored(name).ID).map(({ ID }) => ID);
  };

  const refusals: readonly (readonly [body: unknown, status: number, message: string])[] = [
    [{}, 400, rpc("InvalidArgument", "name must be provided")],
    [{ Name: "bad name", Data: "eA==" }, 400, rpc("InvalidArgument", badName)],
    [{ Name: ".dotted_Name-1", Data: "eA==" }, 400, rpc("InvalidArgument", badName)],
    [{ Name: "n".repeat(65), Data: "eA==" }, 400, rpc("InvalidArgument", badName)],
    [{ Name: "x" }, 400, rpc("InvalidArgument", size)],
    [{ Name: "x", Data: "" }, 400, rpc("InvalidArgument", size)],
    [{ Name: "x", Data: base64("x".repeat(limit)) }, 400, rpc("InvalidArgument", size)],
    [{ Name: "x", Data: "!!" }, 400, "illegal base64 data at input byte 0"],
    [
      { Name: "x", Data: "eA==", Templating: { Name: "other" } },
      400,
      'unrecognized template type: "other". The only one is "golang"',
    ],
  ];
  for (const [body, status, message] of refusals) {
    test(`a ${kind} is not created: ${message.slice(0, 60)}`, async () => {
      const answer = await rig.call("POST", `/${kind}s/create`, body);
      assert.deepEqual([answer.status, answer.body], [status, { message }]);
    });
  }

  test(`a ${kind} is shown as Swarm shows it`, async () => {
    const Templating = { Name: "golang" };
    const ID = await create("value of one", { Templating });
    const { CreatedAt, UpdatedAt, Version, ...rest } = await seen();
    assert.equal(CreatedAt, UpdatedAt);
    assert.equal(typeof Version.Index, "number");
    const data = kind === "config" ? { Data: base64("value of one") } : {};
    assert.deepEqual(rest, { ID, Spec: { Name: one(), Labels: { a: "1" }, ...data, Templating } });
    for (const ref of [ID, ID.slice(0, 25)]) {
      assert.equal((await rig.call("GET", `/${kind}s/${ref}`)).body.ID, ID);
    }
  });

  test(`a ${kind} of the largest size is created`, async () => {
    await create("x".repeat(limit - 1));
  });

  test(`a second ${kind} of a name is refused`, async () => {
    await create("x");
    const again = await rig.call("POST", `/${kind}s/create`, { Name: one(), Data: "eA==" });
    const message = rpc("AlreadyExists", `${kind} ${one()} already exists`);
    assert.deepEqual([again.status, again.body], [409, { message }]);
  });

  test(`${kind}s are filtered`, async () => {
    const id = await create("x", { Labels: { only: one() } });
    const list = async (filters: object): Promise<string[]> => {
      const text = encodeURIComponent(JSON.stringify(filters));
      const { body } = await rig.call("GET", `/${kind}s?filters=${text}`);
      return body.map((row: { ID: string }) => row.ID);
    };
    assert.deepEqual(await list({ id: { [id]: true } }), [id]);
    assert.deepEqual(await list({ label: { [`only=${one()}`]: true } }), [id]);
    assert.deepEqual(await list({ name: { [one()]: true } }), [id]);
    if (kind === "secret") assert.deepEqual(await list({ names: { [one()]: true } }), [id]);
    const bogus = await rig.call("GET", `/${kind}s?filters={"bogus":{"x":true}}`);
    assert.deepEqual([bogus.status, bogus.body], [400, { message: "Invalid filter 'bogus'" }]);
  });

  test(`labels of a ${kind} are updated, and its name is not`, async () => {
    await create("x");
    const before = (await seen()).Version.Index;
    const body = {
      Name: one(),
      Labels: { c: "3" },
      ...(kind === "config" && { Data: base64("x") }),
    };
    const answer = await update(body);
    assert.deepEqual([answer.status, answer.text], [200, ""]);
    assert.deepEqual((await seen()).Spec.Labels, { c: "3" });
    const stale = await update(body, before);
    const sequence = rpc("Unknown", "update out of sequence");
    assert.deepEqual([stale.status, stale.body], [500, { message: sequence }]);
    const renamed = await update({ Name: "renamed", Labels: {} });
    const only = rpc("InvalidArgument", "only updates to Labels are allowed");
    assert.deepEqual([renamed.status, renamed.body], [400, { message: only }]);
  });

  test(`a ${kind} with the same data touches no task, with other data all tasks that use it`, async () => {
    const id = await create("first");
    const [user, other] = [`uses-${one()}`, `spares-${one()}`];
    await serve(user, id);
    const spare = { Name: other, TaskTemplate: { ContainerSpec: { Image: "tiny:1" } } };
    await rig.call("POST", "/services/create", spare);
    const [before, spared] = [tasksOf(user), stored(other)];
    const service = stored(user);
    const same = { Name: one(), Labels: { b: "2" }, Data: base64("first") };
    assert.equal((await update(same)).status, 200);
    assert.deepEqual([tasksOf(user), stored(user)], [before, service]);

    const changed = { Name: one(), Labels: {}, Data: base64("second") };
    assert.equal((await update(changed)).status, 200);
    assert.deepEqual(stored(other), spared);
    const made = rig.door.store.tasksOf(service.ID).filter(({ ID }) => !before.includes(ID));
    assert.deepEqual(
      made.map(({ Gam }) => Gam.contents),
      [{ [id]: 2 }],
    );
    if (kind === "config") assert.equal((await seen()).Spec.Data, base64("second"));
    const { Version, PreviousSpec } = (await rig.call("GET", `/services/${user}`)).body;
    assert.ok(Version.Index > service.Version.Index);
    assert.deepEqual(PreviousSpec, service.Spec);
  });

  test(`the data of a ${kind} with a template driver must be a template`, async () => {
    await create('{{env "A"}}', { Templating: { Name: "golang" } });
    // What is wrong in it may be a part of the secret, and messages are logged.
    const reason =
      kind === "config"
        ? 'function "hunter2" not defined'
        : "the reason is not shown because it may quote a secret";
    const refused = {
      message: rpc(
        "InvalidArgument",
        `the data of the ${kind} is no template: template: expansion:2: ${reason}`,
      ),
    };
    const body = { Name: one(), Labels: {}, Data: base64("a\n{{hunter2}}") };
    const answer = await update(body);
    assert.deepEqual([answer.status, answer.body], [400, refused]);
    const made = { ...body, Name: `other-${one()}`, Templating: { Name: "golang" } };
    const other = await rig.call("POST", `/${kind}s/create`, made);
    assert.deepEqual([other.status, other.body], [400, refused]);
    // Without a driver it is only a text.
    const plain = await rig.call("POST", `/${kind}s/create`, { ...made, Templating: undefined });
    assert.equal(plain.status, 201);
  });

  test(`a ${kind} is removed only when no service uses it`, async () => {
    const id = await create("x");
    const user = `user-of-${one()}`;
    await serve(user, id);
    const remove = async (): Promise<unknown> => {
      const { status, body } = await rig.call("DELETE", `/${kind}s/${one()}`);
      return [status, body?.message];
    };
    const message = `${kind} '${one()}' is in use by the following service: ${user}`;
    assert.deepEqual(await remove(), [400, rpc("InvalidArgument", message)]);
    await rig.call("DELETE", `/services/${user}`);
    assert.deepEqual(await remove(), [204, undefined]);
    assert.deepEqual(await remove(), [404, `${kind} ${one()} not found`]);
  });

  test(`a service with a ${kind} that does not exist is refused`, async () => {
    const ContainerSpec = { Image: "tiny:1", ...reference("x") };
    const body = { Name: `lost-${one()}`, TaskTemplate: { ContainerSpec } };
    const { status, body: answer } = await rig.call("POST", "/services/create", body);
    const message = rpc("InvalidArgument", `${kind} not found: ${one()}`);
    assert.deepEqual([status, answer], [400, { message }]);
  });
}

test("a secret with a driver is refused with the reason", async () => {
  const body = { Name: "driven", Driver: { Name: "vault" } };
  const answer = await rig.call("POST", "/secrets/create", body);
  const reason = "gam calls no plugins for secrets. Create the secret with its data instead";
  const message = rpc("Unknown", `plugin "vault" not found: ${reason}`);
  assert.deepEqual([answer.status, answer.body], [500, { message }]);
});

test("the state has no plain data of secrets, nor credentials", async () => {
  const mark = "MARK-of-a-secret";
  await rig.call("POST", "/secrets/create", { Name: "marked", Data: base64(mark) });
  const TaskTemplate = { ContainerSpec: { Image: "tiny:1" } };
  const headers = { "X-Registry-Auth": mark };
  await rig.call("POST", "/services/create", { Name: "private", TaskTemplate }, headers);
  assert.ok(sealedIn(rig.door.store).length >= 2);
  assert.equal(Buffer.from(rig.door.store.dump()).indexOf(mark), -1);
});

const targets: readonly (readonly [references: object, message: string])[] = [
  [{ Secrets: [{ SecretID: "x", File: { Name: "f" } }] }, "malformed secret reference"],
  [
    { Secrets: [{ SecretID: "x", SecretName: "x" }] },
    "malformed secret reference, no target provided",
  ],
  [
    { Secrets: [{ SecretID: "x", SecretName: "x", File: {} }] },
    "malformed file secret reference, invalid target file name provided",
  ],
  [
    {
      Secrets: ["a", "b"].map((name) => ({
        SecretID: name,
        SecretName: name,
        File: { Name: "f" },
      })),
    },
    "secret references 'a' and 'b' have a conflicting target: 'f'",
  ],
  [
    { Configs: [{ ConfigID: "x", ConfigName: "x" }] },
    "malformed config reference, no target provided",
  ],
];
for (const [references, message] of targets) {
  test(`a service is refused: ${message}`, async () => {
    const ContainerSpec = { Image: "tiny:1", ...references };
    const answer = await rig.call("POST", "/services/create", { TaskTemplate: { ContainerSpec } });
    const wanted = { message: rpc("InvalidArgument", message) };
    assert.deepEqual([answer.status, answer.body], [400, wanted]);
  });
}
