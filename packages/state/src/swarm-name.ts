const form = /^[a-zA-Z0-9](?:[-_]*[a-zA-Z0-9])*$/;
const lengthMax = 63;

/** Why a text cannot name a service or a network, in Swarm's words; `undefined` when it can. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "meta: name must be provided";
  if (!form.test(name)) return "name must be valid as a DNS name component";
  if (name.length > lengthMax) return `name must be ${lengthMax} characters or fewer`;
  return undefined;
}
