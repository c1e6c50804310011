/** Pool usage: counts the addresses in use, so that people can see it before none are left. */
import type { View } from "@gam/state";
import type { Pools } from "@gam/state/answers";
import { countSubnets, poolOf, sizeOf, takenSpans } from "../plan/subnet.ts";
import { AddressBook } from "./address-book.ts";
import { holdingsOfNetwork, holdingsOfService, holdingsOfTask } from "./holdings.ts";

/** Networks in order of creation; a network without a subnet is left out. */
export function poolUsage(view: View): Pools {
  const book = new AddressBook();
  for (const network of view.networks()) book.hold(network.Id, holdingsOfNetwork(network));
  for (const service of view.services()) book.hold(service.ID, holdingsOfService(service));
  for (const task of view.tasks()) book.hold(task.ID, holdingsOfTask(task));
  const pools = view.cluster ?? { DefaultAddrPool: [], SubnetSize: 32 };
  const { subnets, free } = countSubnets(pools, takenSpans(view));
  return {
    networks: view.networks().flatMap((network) => {
      const pool = network.Gam.vni === 0 ? undefined : poolOf(network);
      if (pool === undefined) return [];
      const { Id, Name: name } = network;
      const used = book.countIn(Id, pool.span);
      return [{ name, subnet: pool.subnet, used, size: sizeOf(pool) }];
    }),
    subnets,
    subnetsFree: free,
  };
}
