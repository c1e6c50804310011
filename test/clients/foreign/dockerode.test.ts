/** dockerode: its calls for Swarm. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Docker from "dockerode";
import { ClientCluster, labUnavailable } from "./support/client-cluster.ts";

const skip = labUnavailable() ?? false;
const number = 92;
const withinMs = 120_000;
const image = "gam/test:1";

interface Refusal {
  readonly statusCode: number;
  readonly message: string;
}

function refuses(call: Promise<unknown>, status: number, says: RegExp): Promise<void> {
  return assert.rejects(call, (thrown: Refusal) => {
    assert.equal(thrown.statusCode, status, thrown.message);
    assert.match(thrown.message, says);
    return true;
  });
}

describe("dockerode", { skip, timeout: 2 * withinMs }, () => {
  let up: ClientCluster;
  let docker: Docker;
  before(async () => {
    up = await ClientCluster.up(number);
    docker = new Docker({ socketPath: up.socketPath });
  });
  after(async () => {
    await up?.down();
  });

  const created = async (name: string, more: object = {}): Promise<Docker.Service> => {
    await docker.createService({
      Name: name,
      TaskTemplate: { ContainerSpec: { Image: image } },
      ...more,
    } as Docker.CreateServiceOptions);
    return docker.getService(name);
  };
  const running = (name: string, count: number): Promise<void> =>
    up.cluster.until(`${count} of ${name} run`, withinMs, async () => {
      const filters = JSON.stringify({ service: [name], "desired-state": ["running"] });
      const tasks = await docker.listTasks({ filters });
      return tasks.filter(({ Status }) => Status?.State === "running").length === count;
    });

  test("swarmInspect()", async () => {
    const { JoinTokens, Spec } = await docker.swarmInspect();
    assert.ok(JoinTokens?.Worker);
    assert.equal(Spec?.Name, "default");
  });

  test("swarmUpdate()", async () => {
    const { Version, Spec } = await docker.swarmInspect();
    await docker.swarmUpdate({ version: Version?.Index, ...Spec, Labels: { a: "b" } });
    const after = await docker.swarmInspect();
    assert.deepEqual(after.Spec?.Labels, { a: "b" });
  });

  test("listNodes(), getNode().inspect()", async () => {
    const nodes = await docker.listNodes();
    assert.equal(nodes.length, 3);
    const one = await docker.getNode(nodes[0].ID).inspect();
    assert.equal(one.ID, nodes[0].ID);
  });

  test("getNode().update()", async () => {
    const [{ ID }] = await docker.listNodes();
    const { Version, Spec } = await docker.getNode(ID).inspect();
    await docker.getNode(ID).update({ version: Version.Index, ...Spec, Labels: { zone: "x" } });
    assert.deepEqual((await docker.getNode(ID).inspect()).Spec.Labels, { zone: "x" });
  });

  test("getNode() of an unknown node", () =>
    refuses(docker.getNode("nonsense").inspect(), 404, /nonsense not found/));

  test("createService(), inspect()", async () => {
    const service = await created("rode-web", { Mode: { Replicated: { Replicas: 2 } } });
    await running("rode-web", 2);
    const { Spec } = await service.inspect();
    assert.equal(Spec.Name, "rode-web");
  });

  test("listServices() with status", async () => {
    const [service] = await docker.listServices({
      filters: JSON.stringify({ name: ["rode-web"] }),
      status: true,
    } as Docker.ServiceListOptions);
    const { ServiceStatus } = service as unknown as { ServiceStatus: object };
    assert.deepEqual(ServiceStatus, { RunningTasks: 2, DesiredTasks: 2, CompletedTasks: 0 });
  });

  test("service.update()", async () => {
    const service = docker.getService("rode-web");
    const { Version, Spec } = await service.inspect();
    await service.update({
      version: Version.Index,
      ...Spec,
      Mode: { Replicated: { Replicas: 1 } },
    });
    await running("rode-web", 1);
  });

  test("service.update() out of sequence", async () => {
    const service = docker.getService("rode-web");
    const { Version, Spec } = await service.inspect();
    await service.update({ version: Version.Index, ...Spec, Labels: { a: "1" } });
    const again = service.update({ version: Version.Index, ...Spec, Labels: { a: "2" } });
    await refuses(again, 500, /update out of sequence/);
  });

  test("createService() of a name that is taken", () =>
    refuses(created("rode-web"), 409, /name conflicts with an existing object/));

  test("service.logs()", async () => {
    const logs = await docker.getService("rode-web").logs({ stdout: true, stderr: true });
    assert.ok(logs !== undefined);
  });

  test("getTask().inspect()", async () => {
    const [{ ID }] = await docker.listTasks({
      filters: JSON.stringify({ service: ["rode-web"], "desired-state": ["running"] }),
    });
    assert.equal((await docker.getTask(ID).inspect()).ID, ID);
  });

  test("createSecret(), inspect(), update(), remove()", async () => {
    const Data = Buffer.from("hush").toString("base64");
    await docker.createSecret({ Name: "rode-secret", Data });
    const [listed] = await docker.listSecrets({
      filters: JSON.stringify({ name: ["rode-secret"] }),
    });
    assert.ok(listed !== undefined);
    const secret = docker.getSecret(listed.ID);
    const { Version, Spec } = await secret.inspect();
    assert.equal(Spec?.Name, "rode-secret");
    await secret.update({ version: Version?.Index, ...Spec, Labels: { a: "b" } });
    assert.deepEqual((await secret.inspect()).Spec?.Labels, { a: "b" });
    await secret.remove();
    await refuses(secret.inspect(), 404, /not found/);
  });

  test("createConfig(), inspect(), remove()", async () => {
    const Data = Buffer.from("key = value").toString("base64");
    await docker.createConfig({ Name: "rode-config", Data });
    const [listed] = await docker.listConfigs();
    assert.ok(listed !== undefined);
    const config = docker.getConfig(listed.ID);
    assert.equal((await config.inspect()).Spec?.Data, Data);
    await config.remove();
    await refuses(config.inspect(), 404, /not found/);
  });

  test("createNetwork(), inspect(), remove()", async () => {
    const network = await docker.createNetwork({ Name: "rode-net", Driver: "overlay" });
    assert.equal((await network.inspect()).Scope, "swarm");
    await network.remove();
    await refuses(network.inspect(), 404, /rode-net|not found/);
  });

  test("getEvents() tells of a service", async () => {
    const stream = await docker.getEvents({
      filters: JSON.stringify({ type: ["service"], event: ["create"] }),
    });
    const first = new Promise<string>((settle) => {
      stream.once("data", (line) => settle(String(line)));
    });
    await created("rode-event", { Mode: { Replicated: { Replicas: 0 } } });
    const { Actor } = JSON.parse(await first) as { Actor: { Attributes: { name: string } } };
    assert.equal(Actor.Attributes.name, "rode-event");
    (stream as unknown as { destroy(): void }).destroy();
  });

  test("service.remove()", async () => {
    for (const name of ["rode-web", "rode-event"]) await docker.getService(name).remove();
    await refuses(docker.getService("rode-web").inspect(), 404, /rode-web not found/);
  });
});
