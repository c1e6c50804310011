import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, type ServiceId } from "@gam/core";
import type { Dump, PortConfig } from "@gam/state";
import { aService, TestLog } from "@gam/state/testing";
import { planEndpoints } from "./endpoint.ts";

const web = "web" as ServiceId;
const http: PortConfig = { Protocol: "tcp", TargetPort: 80, PublishMode: "ingress" };

function publish(log: TestLog, name: string, ports: readonly PortConfig[]): void {
  const made = aService(name, { endpoint: { Ports: ports } });
  const service = log.store.service(name as ServiceId);
  if (service === undefined) log.write(made);
  else {
    const basedOn = service.Version.Index;
    log.write({ kind: "updateService", id: service.ID, spec: made.spec, basedOn });
  }
}

/** Plans until nothing is left. Returns: how many plans that took. */
function settle(log: TestLog): number {
  for (let rounds = 0; ; rounds += 1) {
    const changes = planEndpoints(log.store, log.store.services());
    if (changes.length === 0) return rounds;
    assert.ok(rounds < 3, "comes to rest");
    log.write(...changes);
  }
}

function portsOf(log: TestLog, name: string): readonly (number | undefined)[] {
  const ports = log.store.service(name as ServiceId)?.Endpoint.Ports ?? [];
  return ports.map(({ PublishedPort }) => PublishedPort);
}

test("ports without a number get the lowest ones that are free, for each protocol", () => {
  const log = new TestLog();
  publish(log, "held", [{ ...http, PublishedPort: 30_001 }]);
  publish(log, "web", [http, { ...http, TargetPort: 81 }, { ...http, Protocol: "udp" }]);
  publish(log, "two", [http]);
  assert.equal(settle(log), 1);
  assert.deepEqual(portsOf(log, "web"), [30_000, 30_002, 30_000]);
  assert.deepEqual(portsOf(log, "two"), [30_003]);
  assert.deepEqual(portsOf(log, "held"), [30_001]);
});

test("a port is kept over updates that still publish it, and free after one that does not", () => {
  const log = new TestLog();
  publish(log, "web", [http]);
  publish(log, "two", [http]);
  settle(log);
  publish(log, "web", [{ ...http, TargetPort: 443 }]);
  publish(log, "two", [{ ...http, TargetPort: 81 }, http]);
  settle(log);
  assert.deepEqual(portsOf(log, "two"), [30_003, 30_001]);
  publish(log, "web", []);
  settle(log);
  assert.deepEqual(portsOf(log, "web"), []);
});

test("a port that tasks bind on their host is not handed out", () => {
  const log = new TestLog();
  publish(log, "web", [http]);
  publish(log, "bound", [{ ...http, PublishMode: "host", PublishedPort: 30_000 }]);
  settle(log);
  assert.deepEqual(portsOf(log, "web"), [30_001]);
});

test("host ports and chosen numbers are not changed", () => {
  const log = new TestLog();
  publish(log, "web", [
    { ...http, PublishMode: "host" },
    { ...http, TargetPort: 81, PublishedPort: 8080 },
  ]);
  settle(log);
  assert.deepEqual(portsOf(log, "web"), [undefined, 8080]);
});

test("addresses that a service has stay", () => {
  const log = new TestLog();
  publish(log, "web", [http]);
  const VirtualIPs = [{ NetworkID: "net", Addr: "10.0.1.2/24" }];
  const Spec = { Ports: [http] };
  log.write({ kind: "setEndpoint", id: web, endpoint: { Spec, VirtualIPs } });
  settle(log);
  assert.deepEqual(log.store.service(web)?.Endpoint.VirtualIPs, VirtualIPs);
});

test("planning ends for two services of one port, which only a made-up state has", () => {
  const log = new TestLog();
  publish(log, "web", [{ ...http, PublishedPort: 8080 }]);
  publish(log, "two", [{ ...http, PublishedPort: 8081 }]);
  const dump = decode(log.store.dump()) as Dump;
  const services = dump.services.map((service) => {
    const EndpointSpec = { Ports: [{ ...http, PublishedPort: 8080 }] };
    return { ...service, Spec: { ...service.Spec, EndpointSpec } };
  });
  log.store.restore({ ...dump, services });
  settle(log);
});
