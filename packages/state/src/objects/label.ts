/** Labels by which gam knows its own. Nothing without the first one is ever touched. */
export const label = {
  cluster: "gam.cluster",
  network: "gam.network",
  task: "com.docker.swarm.task.id",
  /** How many networks a container is to be in before it is whole. */
  networks: "gam.networks",
} as const;
