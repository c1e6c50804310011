import assert from "node:assert/strict";
import { test } from "node:test";
import type { Usage } from "@gam/state";
import { UsageNews } from "./usage-news.ts";

const told: Usage = {
  cpu: 0.5,
  memoryBytes: 4e9,
  memoryTotalBytes: 8e9,
  load: 1,
  containers: 3,
  images: ["a", "b"],
  diskFreeBytes: 1e11,
  atMs: 10_000,
};

const cases = [
  { name: "nothing moved", change: {}, want: false },
  { name: "a little CPU", change: { cpu: 0.53 }, want: false },
  { name: "a little memory", change: { memoryBytes: 4.05e9 }, want: false },
  { name: "much memory", change: { memoryBytes: 4.1e9 }, want: true },
  { name: "much disk", change: { diskFreeBytes: 0.98e11 }, want: true },
  { name: "a container more", change: { containers: 4 }, want: true },
  { name: "another image", change: { images: ["a", "c"] }, want: true },
  { name: "an image less", change: { images: ["a"] }, want: true },
  { name: "a while ago", change: { atMs: 20_000 }, want: true },
  { name: "not so long ago", change: { atMs: 19_999 }, want: false },
  { name: "a clock that went back", change: { atMs: 9000 }, want: true },
];

for (const { name, change, want } of cases) {
  test(`UsageNews after ${name}: ${want ? "sent" : "not sent"}`, () => {
    const news = new UsageNews();
    assert.ok(news.isNews(told), "the first one is sent");
    assert.equal(news.isNews({ ...told, ...change }), want);
  });
}

const shares = [
  { name: "much CPU that lasts", cpus: [0.56, 0.6, 0.57], want: [false, false, true] },
  { name: "little CPU that lasts", cpus: [0.44, 0.4, 0.43], want: [false, false, true] },
  {
    name: "small steps that add up",
    cpus: [0.53, 0.56, 0.57, 0.58],
    want: [false, false, false, true],
  },
  { name: "one busy second", cpus: [0.9, 0.5, 0.9, 0.5], want: [false, false, false, false] },
  { name: "CPU to and fro", cpus: [0.9, 0.1, 0.9, 0.1], want: [false, false, false, false] },
  {
    name: "more, and back again",
    cpus: [0.6, 0.6, 0.6, 0.5, 0.5, 0.5],
    want: [false, false, true, false, false, true],
  },
];

for (const { name, cpus, want } of shares) {
  test(`UsageNews with ${name}: sent ${want.join(", ")}`, () => {
    const news = new UsageNews();
    news.isNews(told);
    assert.deepEqual(
      cpus.map((cpu) => news.isNews({ ...told, cpu })),
      want,
    );
  });
}
