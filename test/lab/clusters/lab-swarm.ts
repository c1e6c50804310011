/**
 * LabSwarm: the hosts of a lab whose engines form a Docker Swarm, to compare gam with.
 *
 *   const swarm = await LabSwarm.form(lab);
 *   await swarm.createService(lab.host(1), "web", 20);
 *
 * Its hosts have no agents, since gam refuses an engine in Swarm mode. Three hosts are managers, as Docker
 * advises for five hosts, and only managers take calls.
 */
import { type Host, type Lab, LabError } from "./lab.ts";
import { LabCluster } from "./lab-cluster.ts";

const managersMax = 3;
const listenAddress = "0.0.0.0:2377";

export class LabSwarm extends LabCluster {
  /** Makes a Swarm on the first host, and joins the others one after the other. */
  static async form(lab: Lab): Promise<LabSwarm> {
    const swarm = new LabSwarm(lab);
    const [first, ...others] = lab.hosts;
    if (first === undefined) throw new LabError("Cannot form a Swarm: the lab has no host");
    const addressOf = ({ address }: Host) => ({
      ListenAddr: listenAddress,
      AdvertiseAddr: address,
    });
    await swarm.call(first, "POST", "/swarm/init", addressOf(first));
    const { JoinTokens } = await swarm.call<{
      JoinTokens: { Manager: string; Worker: string };
    }>(first, "GET", "/swarm");
    for (const host of others) {
      const JoinToken = swarm.askable.includes(host) ? JoinTokens.Manager : JoinTokens.Worker;
      const body = { ...addressOf(host), RemoteAddrs: [first.address], JoinToken };
      await swarm.call(host, "POST", "/swarm/join", body);
    }
    await swarm.learnIds(lab.hosts.length);
    return swarm;
  }

  get askable(): readonly Host[] {
    return this.lab.hosts.slice(0, managersMax);
  }

  socketOf(host: Host): string {
    return host.engineSocket;
  }

  powerOn(host: Host): Promise<void> {
    return host.start();
  }
}
