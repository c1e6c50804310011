import assert from "node:assert/strict";
import { test } from "node:test";
import { containerCall, forOtherHosts, needsId, urlAbout } from "./container-call.ts";

const accepted: readonly [string, string, string][] = [
  ["GET", "/containers/web/json", "web json"],
  ["GET", "/v1.41/containers/web/json?size=1", "web json"],
  ["GET", "/v1.41/containers/shop_web.1.abc/logs?follow=1", "shop_web.1.abc logs"],
  ["GET", "/containers/web/attach/ws", "web attach/ws"],
  ["POST", "/containers/web/attach?stream=1", "web attach"],
  ["HEAD", "/containers/web/archive?path=%2Fa", "web archive"],
  ["PUT", "/containers/web/archive?path=%2Fa", "web archive"],
  ["DELETE", "/containers/web?force=1", "web "],
  ["DELETE", "/containers/host2/web", "host2/web "],
  ["POST", "/containers/host2/web/exec", "host2/web exec"],
  ["GET", "/v1.44/containers/host2/web/attach/ws", "host2/web attach/ws"],
  ["POST", "/exec/e1/start", "e1 start"],
  ["GET", "/exec/e1/json", "e1 json"],
];

for (const [method, url, want] of accepted) {
  test(`${method} ${url} is about one container or exec`, () => {
    const call = containerCall(method, url);
    assert.ok(call);
    const { host, ref, operation } = call;
    assert.equal(`${host === undefined ? "" : `${host}/`}${ref} ${operation}`, want);
    const plain = url.replace("host2/", "");
    assert.equal(urlAbout(call, ref), plain);
    assert.equal(forOtherHosts(method, plain), plain);
    assert.equal(forOtherHosts(method, url), host === undefined ? url : undefined);
  });
}

const refused: readonly [string, string][] = [
  ["POST", "/containers/create"],
  ["POST", "/containers/prune"],
  ["POST", "/containers/web/json"],
  ["GET", "/containers/web/start"],
  ["POST", "/containers/a/b/c/exec"],
  ["GET", "/containers//json"],
  ["GET", "/containers/../images/json"],
  ["GET", "/containers/%2e%2e/json"],
  ["GET", "/containers/web/../../info/json"],
  ["POST", "/exec/host2/e1/start"],
  ["DELETE", "/exec/e1"],
  ["POST", "/containers/web/copy"],
  ["GET", "/v1.41/images/web/json"],
  ["POST", "/build"],
  ["POST", "/commit?container=web"],
  ["GET", "http://docker/containers/web/json"],
];

for (const [method, url] of refused) {
  test(`${method} ${url} is for the asked host's engine alone`, () => {
    assert.equal(containerCall(method, url), undefined);
    assert.equal(forOtherHosts(method, url), undefined);
  });
}

test("other hosts may also be asked for their list, and for the events of containers only", () => {
  const list = "/v1.41/containers/json?all=1";
  assert.equal(forOtherHosts("GET", list), list);
  assert.equal(forOtherHosts("POST", "/containers/json"), undefined);
  assert.equal(forOtherHosts("GET", "/containers/json/x"), undefined);
  const asked = encodeURIComponent('{"type":["image"],"label":["a"]}');
  const events = forOtherHosts("GET", `/v1.41/events?since=5&filters=${asked}`);
  assert.equal(
    decodeURIComponent(events ?? ""),
    '/v1.41/events?since=5&filters={"type":["container"],"label":["a"]}',
  );
  assert.match(forOtherHosts("GET", "/events") ?? "", /^\/events\?filters=.*container/);
});

test("only removal and rename need an id", () => {
  const needing = ["DELETE /containers/web", "POST /containers/web/rename?name=x"];
  for (const line of [...needing, "POST /containers/web/stop", "POST /exec/e1/start"]) {
    const [method, url] = line.split(" ");
    const call = containerCall(method, url);
    assert.ok(call);
    assert.equal(needsId(call), needing.includes(line));
  }
});
