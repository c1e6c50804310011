/**
 * Data path: from which ranges a new cluster's networks get their subnets, and which port their packets use.
 *
 * Chosen once, when the cluster is created: assigned subnets cannot change.
 */
import { GamError } from "@gam/core";
import { endsOf, isRange } from "../objects/addresses/cidr.ts";
import { type Cluster, dataPathDefault } from "../objects/cluster.ts";
import { readBody } from "./json-shape.ts";
import { initShape } from "./swarm-request.ts";

export type DataPath = Pick<Cluster, "DefaultAddrPool" | "SubnetSize" | "DataPathPort">;

/** As for a network that names its own subnet. */
const subnetSizeMin = 8;
/** Eight addresses: the smallest subnet that can hold a service. */
const subnetSizeMax = 29;
const portMin = 1024;
const portMax = 49_151;

/** Returns: the data path that `docker swarm init` asks for, with Swarm's defaults for absent values. */
export function readDataPath(body: unknown): DataPath {
  const read = readBody(initShape, body);
  const size = read.SubnetSize ?? dataPathDefault.SubnetSize;
  const port = read.DataPathPort ?? dataPathDefault.DataPathPort;
  const pools = (read.DefaultAddrPool ?? dataPathDefault.DefaultAddrPool).map((one) => one.trim());
  if (size < subnetSizeMin || size > subnetSizeMax) refuse(`subnet size is out of range: ${size}`);
  if (port < portMin || port > portMax) {
    refuse(`Datapath port number is not in valid range (${portMin}-${portMax}) : ${port}`);
  }
  return {
    DefaultAddrPool: pools.map((pool) => readPool(pool, size)),
    SubnetSize: size,
    DataPathPort: port,
  };
}

function readPool(pool: string, size: number): string {
  if (!isRange(pool)) refuse(`invalid base pool "${pool}": invalid CIDR address: ${pool}`);
  if (pool.includes(":")) {
    const message = `Cannot take subnets from ${pool}: networks across hosts have IPv4 addresses only`;
    throw new GamError("NOT_SUPPORTED", message);
  }
  const prefix = Number(pool.split("/")[1]);
  if (size < prefix) {
    refuse(`invalid CIDR: "${pool}". Subnet size is too small for pool: ${size}`);
  }
  return `${endsOf(pool)[0]}/${prefix}`;
}

function refuse(message: string): never {
  throw new GamError("BAD_REQUEST", message);
}
