import assert from "node:assert/strict";
import { test } from "node:test";
import { aService } from "../testing/objects.ts";
import { httpPort, httpWish } from "./http-labels.ts";
import { serviceLabelProblem } from "./service-labels.ts";

const hash = `$2y$10$${"a".repeat(53)}`;
const shop = { "gam.http.host": "shop.example.com" };

const problems: readonly (readonly [
  title: string,
  labels: Record<string, string>,
  want: RegExp | undefined,
])[] = [
  ["a name", shop, undefined],
  [
    "several names, one with a star",
    { "gam.http.host": "a.example.com, *.Example.com" },
    undefined,
  ],
  ["a name of one part", { "gam.http.host": "shop" }, undefined],
  ["an address with a scheme", { "gam.http.host": "https://shop.example.com" }, /use a host name/],
  ["a port in the name", { "gam.http.host": "shop.example.com:80" }, /use a host name/],
  ["a star in the middle", { "gam.http.host": "a.*.example.com" }, /use a host name/],
  ["a part that ends with a dash", { "gam.http.host": "a-.example.com" }, /use a host name/],
  ["a name that is too long", { "gam.http.host": `${"a.".repeat(126)}ab` }, /use a host name/],
  ["an empty name in a list", { "gam.http.host": "a.example.com," }, /use a host name/],
  [
    "everything",
    {
      ...shop,
      "gam.http.port": "8080",
      "gam.http.path": "/api, /v1/",
      "gam.http.redirect": "www.example.com",
      "gam.http.auth": `ada:${hash},bob:${hash}`,
      "gam.http.sticky": "cookie",
      "gam.http.tls": "shop_cert",
    },
    undefined,
  ],
  ["port 0", { ...shop, "gam.http.port": "0" }, /use a whole number from 1 to 65535/],
  ["a path without a slash", { ...shop, "gam.http.path": "api" }, /use a path such as \/api/],
  ["a path with a pattern", { ...shop, "gam.http.path": "/a*" }, /use a path such as \/api/],
  ["a path with an escape", { ...shop, "gam.http.path": "/a%2f" }, /use a path such as \/api/],
  ["a path with an empty part", { ...shop, "gam.http.path": "/a//b" }, /use a path such as \/api/],
  [
    "a password in the clear",
    { ...shop, "gam.http.auth": "ada:secret" },
    /use a user and a bcrypt/,
  ],
  ["a cheap hash", { ...shop, "gam.http.auth": `a:$2y$03$${"a".repeat(53)}` }, /use a user/],
  [
    "a hash that costs minutes",
    { ...shop, "gam.http.auth": `a:$2y$15$${"a".repeat(53)}` },
    /cost 4 to 14/,
  ],
  [
    "a user that the proxy would replace",
    { ...shop, "gam.http.auth": `{env.NONE}:${hash}` },
    /use a user/,
  ],
  ["half a character as a user", { ...shop, "gam.http.auth": `\ud800:${hash}` }, /use a user/],
  ["a user with an accent", { ...shop, "gam.http.auth": `zo\u00eb:${hash}` }, undefined],
  [
    "more than the proxy can carry",
    {
      "gam.http.host": Array.from({ length: 101 }, (_, at) => `h${at}.example.com`).join(),
      "gam.http.path": Array.from({ length: 10 }, (_, at) => `/p${at}`).join(),
      "gam.http.auth": Array.from({ length: 10 }, (_, at) => `u${at}:${hash}`).join(),
    },
    /^labels .* say 101 names, 10 paths and 10 users, multiplied more than 10000: name fewer/,
  ],
  [
    "a user twice",
    { ...shop, "gam.http.auth": `ada:${hash}, ada:${hash}` },
    /^label "gam.http.auth" names the user "ada" twice: keep one/,
  ],
  ["sticky by address", { ...shop, "gam.http.sticky": "client" }, /use "cookie"/],
  [
    "a secret that is no name",
    { ...shop, "gam.http.tls": "a/b" },
    /use "off", "acme" or the name of a/,
  ],
  ["ACME", { ...shop, "gam.http.tls": "acme" }, undefined],
  [
    "ACME for a pattern",
    { "gam.http.host": "a, *.a", "gam.http.tls": "acme" },
    /^label "gam.http.tls" is "acme", which gets no certificate for "\*.a": name each host/,
  ],
  [
    "a port without a name",
    { "gam.http.port": "80" },
    /^label "gam.http.port" has no effect without "gam.http.host": add it/,
  ],
  [
    "a name twice",
    { ...shop, "gam.http.redirect": "shop.example.com" },
    /^labels "gam.http.host" and "gam.http.redirect" name "shop.example.com" twice/,
  ],
  [
    "a redirect to a pattern",
    { "gam.http.host": "*.example.com", "gam.http.redirect": "example.com" },
    /^label "gam.http.redirect" leads to "\*.example.com", which is no name/,
  ],
];

for (const [title, Labels, want] of problems) {
  test(`HTTP labels: ${title}`, () => {
    const problem = serviceLabelProblem(aService("web", { spec: { Labels } }).spec);
    if (want === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? "", want);
  });
}

test("a service without one address for all its tasks cannot have a name", () => {
  const { spec } = aService("web", { spec: { Labels: shop }, endpoint: { Mode: "dnsrr" } });
  assert.match(
    serviceLabelProblem(spec) ?? "",
    /^label "gam.http.host" needs the endpoint mode vip/,
  );
});

test("httpWish() reads what labels say, and what they say by default", () => {
  assert.equal(httpWish({}), undefined);
  assert.equal(httpWish({ "gam.http.host": "" }), undefined);
  assert.deepEqual(httpWish(shop), {
    hosts: ["shop.example.com"],
    port: 80,
    paths: [""],
    redirects: [],
    accounts: [],
    isSticky: false,
    tls: "off",
  });
  const more = {
    "gam.http.host": "Shop.Example.com, b",
    "gam.http.path": "/, /Api/v1/",
    "gam.http.auth": `ada:${hash}`,
    "gam.http.tls": "cert",
  };
  assert.deepEqual(httpWish(more), {
    hosts: ["shop.example.com", "b"],
    port: 80,
    paths: ["", "/api/v1"],
    redirects: [],
    accounts: [{ user: "ada", hash }],
    isSticky: false,
    tls: { secret: "cert" },
  });
});

test("httpPort() is that of services with a name only", () => {
  assert.equal(httpPort(undefined), undefined);
  assert.equal(httpPort({ "gam.http.port": "81" }), undefined);
  assert.equal(httpPort(shop), 80);
  assert.equal(httpPort({ ...shop, "gam.http.port": "81" }), 81);
});
