const form = /^[a-zA-Z0-9](?:[-_]*[a-zA-Z0-9])*$/;
const lengthMax = 63;
const formLengthMax = 4096;

/** Returns: why a text cannot name a service or a network, in Swarm's words; undefined when it can. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "meta: name must be provided";
  // The pattern needs stack space: do not test texts of any length.
  if (name.length <= formLengthMax && !form.test(name))
    return "name must be valid as a DNS name component";
  if (name.length > lengthMax) return `name must be ${lengthMax} characters or fewer`;
  return undefined;
}
