/** Labels that mark gam's own objects. gam never touches an object without the first one. */
export const label = {
  cluster: "gam.cluster",
  network: "gam.network",
  task: "com.docker.swarm.task.id",
  /** How many networks a container must be attached to before it is complete. */
  networks: "gam.networks",
} as const;
