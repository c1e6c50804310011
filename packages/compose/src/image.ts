/**
 * The name of an image as it is written in specs: with a tag unless it has a digest, and without the
 * parts that every engine adds by itself (`docker.io/library/nginx` is `nginx:latest`).
 *
 * Shape:  a text that is no reference comes back as it is; the API judges it.
 * Source: the distribution project's familiar form of references.
 */
export function familiarImage(image: string): string {
  const match = /^((?:[^@:/]+(?::\d+)?\/)?[^@:]+)(:[\w.-]+)?(@.+)?$/.exec(image);
  const [, path = "", tag = "", digest = ""] = match ?? [];
  if (path === "") return image;
  const name = path.replace(/^(?:index\.)?docker\.io\//, "").replace(/^library\/(?=[^/]+$)/, "");
  return name + (tag === "" && digest === "" ? ":latest" : tag) + digest;
}
