/**
 * Returns: the name of an image as specs have it: with a tag unless it has a digest, and without the parts that
 *         every engine adds (`docker.io/library/nginx` is `nginx:latest`). An invalid reference is returned
 *         unchanged; the API refuses it.
 * Source: the distribution project's familiar form of references.
 */
export function familiarImage(image: string): string {
  const match = /^((?:[^@:/]+(?::\d+)?\/)?[^@:]+)(:[\w.-]+)?(@.+)?$/.exec(image);
  const [, path = "", tag = "", digest = ""] = match ?? [];
  if (path === "") return image;
  const name = path.replace(/^(?:index\.)?docker\.io\//, "").replace(/^library\/(?=[^/]+$)/, "");
  return name + (tag === "" && digest === "" ? ":latest" : tag) + digest;
}
