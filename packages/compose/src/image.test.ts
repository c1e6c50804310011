import assert from "node:assert/strict";
import { test } from "node:test";
import { familiarImage } from "./image.ts";

const images: readonly [image: string, want: string][] = [
  ["nginx", "nginx:latest"],
  ["nginx:1", "nginx:1"],
  ["docker.io/library/nginx", "nginx:latest"],
  ["docker.io/me/app:1", "me/app:1"],
  ["localhost:5000/a", "localhost:5000/a:latest"],
  ["localhost:5000/a/b:c", "localhost:5000/a/b:c"],
  ["a@sha256:00", "a@sha256:00"],
  ["a:1@sha256:00", "a:1@sha256:00"],
  ["a b@", "a b@"],
];
for (const [image, want] of images) {
  test(`familiarImage() ${image}`, () => assert.equal(familiarImage(image), want));
}
