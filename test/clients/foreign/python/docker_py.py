"""docker-py against a cluster: all of its calls for Swarm. DOCKER_HOST says where."""

import base64

import docker
from docker.errors import APIError, NotFound
from docker.types import (
    ConfigReference,
    DriverConfig,
    EndpointSpec,
    Healthcheck,
    Mount,
    NetworkAttachmentConfig,
    Placement,
    PlacementPreference,
    Resources,
    RestartPolicy,
    RollbackConfig,
    SecretReference,
    ServiceMode,
    UpdateConfig,
)

from cases import case, raises, run, until

IMAGE = "gam/test:1"


def running(service, count):
    def holds():
        tasks = service.tasks(filters={"desired-state": "running"})
        return sum(one["Status"]["State"] == "running" for one in tasks) == count

    def what():
        ends = [one["Status"].get("Err", one["Status"]["State"]) for one in service.tasks()]
        return "%d of %s run: %s" % (count, service.name, ends)

    until(what, holds)


def fresh(client, name):
    return client.services.get(name)


def spec(client, name):
    return fresh(client, name).attrs["Spec"]


@case
def ping_and_version(client):
    assert client.ping()
    assert client.version()["ApiVersion"]


@case
def info_says_that_swarm_is_active(client):
    swarm = client.info()["Swarm"]
    assert swarm["LocalNodeState"] == "active"
    assert swarm["ControlAvailable"] is True
    assert swarm["Nodes"] == 3


@case
def swarm_attributes_have_tokens(client):
    client.swarm.reload()
    assert client.swarm.attrs["JoinTokens"]["Worker"]
    assert client.swarm.attrs["JoinTokens"]["Manager"]
    assert client.swarm.version > 0


@case
def swarm_update_of_the_history_limit(client):
    client.swarm.reload()
    client.swarm.update(task_history_retention_limit=4)
    client.swarm.reload()
    assert client.swarm.attrs["Spec"]["Orchestration"]["TaskHistoryRetentionLimit"] == 4
    client.swarm.update(task_history_retention_limit=5)


@case
def swarm_rotates_the_worker_token(client):
    client.swarm.reload()
    before = client.swarm.attrs["JoinTokens"]["Worker"]
    client.swarm.update(rotate_worker_token=True)
    client.swarm.reload()
    assert client.swarm.attrs["JoinTokens"]["Worker"] != before


@case
def swarm_init_is_refused_on_a_member(client):
    raises(APIError, lambda: client.swarm.init(), "already part of a swarm")


@case
def nodes_are_listed(client):
    nodes = client.nodes.list()
    assert len(nodes) == 3
    assert all(node.attrs["Status"]["State"] == "ready" for node in nodes)


@case
def nodes_by_role_and_name(client):
    first = client.nodes.list()[0]
    name = first.attrs["Description"]["Hostname"]
    assert [one.id for one in client.nodes.list(filters={"name": name})] == [first.id]
    assert [one.id for one in client.nodes.list(filters={"id": first.id})] == [first.id]
    assert len(client.nodes.list(filters={"role": "worker"})) == 0


@case
def node_by_id(client):
    first = client.nodes.list()[0]
    assert client.nodes.get(first.id).id == first.id


@case
def unknown_node(client):
    raises(NotFound, lambda: client.nodes.get("nonsense"), "nonsense")


@case
def node_update_of_labels_and_availability(client):
    node = client.nodes.list()[0]
    wanted = dict(node.attrs["Spec"], Labels={"zone": "a"}, Availability="pause")
    node.update(wanted)
    node.reload()
    assert node.attrs["Spec"]["Labels"] == {"zone": "a"}
    assert node.attrs["Spec"]["Availability"] == "pause"
    node.update(dict(node.attrs["Spec"], Labels={}, Availability="active"))


@case
def node_update_out_of_sequence(client):
    node = client.nodes.list()[0]
    stale = client.nodes.get(node.id)
    node.update(dict(node.attrs["Spec"], Labels={"a": "1"}))
    raises(
        APIError,
        lambda: stale.update(dict(stale.attrs["Spec"], Labels={"a": "2"})),
        "update out of sequence",
    )
    node.reload()
    node.update(dict(node.attrs["Spec"], Labels={}))


@case
def service_with_replicas(client):
    service = client.services.create(
        IMAGE,
        name="py-replicated",
        mode=ServiceMode("replicated", replicas=2),
        labels={"tier": "web"},
        env=["A=1"],
    )
    running(service, 2)
    assert spec(client, "py-replicated")["Mode"] == {"Replicated": {"Replicas": 2}}


@case
def service_global(client):
    service = client.services.create(IMAGE, name="py-global", mode=ServiceMode("global"))
    running(service, 3)
    assert "Global" in spec(client, "py-global")["Mode"]


@case
def services_by_name_id_and_label(client):
    service = fresh(client, "py-replicated")
    assert [one.id for one in client.services.list(filters={"name": "py-rep"})] == [service.id]
    assert [one.id for one in client.services.list(filters={"id": service.id})] == [service.id]
    assert [one.id for one in client.services.list(filters={"label": "tier=web"})] == [service.id]
    assert client.services.list(filters={"label": "tier=db"}) == []


@case
def service_by_name_and_by_id(client):
    service = fresh(client, "py-replicated")
    assert client.services.get(service.id).name == "py-replicated"


@case
def unknown_service(client):
    raises(NotFound, lambda: client.services.get("nonsense"), "nonsense")


@case
def two_services_of_one_name(client):
    error = raises(
        APIError, lambda: client.services.create(IMAGE, name="py-global"), "name conflicts"
    )
    assert error.status_code == 409


@case
def service_scale(client):
    service = fresh(client, "py-replicated")
    service.scale(3)
    running(service, 3)


@case
def scale_of_a_global_service(client):
    raises(docker.errors.InvalidArgument, lambda: fresh(client, "py-global").scale(2))


@case
def service_update_keeps_what_it_does_not_name(client):
    service = fresh(client, "py-replicated")
    service.update(env=["A=2"], mode=ServiceMode("replicated", replicas=1))
    now = spec(client, "py-replicated")
    assert now["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=2"]
    assert now["TaskTemplate"]["ContainerSpec"]["Image"].startswith(IMAGE)
    running(fresh(client, "py-replicated"), 1)


@case
def service_force_update(client):
    service = fresh(client, "py-global")
    before = spec(client, "py-global")["TaskTemplate"].get("ForceUpdate", 0)
    assert service.force_update()
    assert spec(client, "py-global")["TaskTemplate"]["ForceUpdate"] == before + 1


@case
def service_update_out_of_sequence(client):
    service = fresh(client, "py-global")
    stale = fresh(client, "py-global")
    service.update(labels={"x": "1"})
    raises(APIError, lambda: stale.update(labels={"x": "2"}), "update out of sequence")


@case
def service_tasks_and_their_filters(client):
    service = fresh(client, "py-global")
    node = client.nodes.list()[0]
    running(service, 3)
    tasks = service.tasks(filters={"node": node.id, "desired-state": "running"})
    assert len(tasks) == 1, tasks
    assert tasks[0]["NodeID"] == node.id
    assert client.api.inspect_task(tasks[0]["ID"])["ID"] == tasks[0]["ID"]


@case
def service_with_all_container_options(client):
    service = client.services.create(
        IMAGE,
        command=None,
        name="py-full",
        hostname="full-{{.Task.Slot}}",
        workdir="/tmp",
        user="0",
        groups=["44"],
        tty=True,
        open_stdin=True,
        read_only=True,
        stop_grace_period=3_000_000_000,
        container_labels={"inner": "1"},
        hosts={"db.example": "10.9.8.7"},
        init=True,
        cap_add=["NET_ADMIN"],
        cap_drop=["MKNOD"],
        healthcheck=Healthcheck(test=["CMD", "true"], interval=1_000_000_000),
        mounts=[
            Mount("/data", "py-data", type="volume", labels={"a": "b"}),
            Mount("/scratch", None, type="tmpfs", tmpfs_size=1 << 20),
            Mount("/host", "/tmp", type="bind", read_only=True, propagation="rprivate"),
        ],
        resources=Resources(
            cpu_limit=500_000_000, mem_limit=64 << 20, cpu_reservation=1_000_000, mem_reservation=8 << 20
        ),
        restart_policy=RestartPolicy("on-failure", delay=1_000_000_000, max_attempts=3),
        update_config=UpdateConfig(parallelism=2, delay=0, failure_action="rollback", order="start-first"),
        log_driver="json-file",
        log_driver_options={"max-size": "1m"},
    )
    running(service, 1)
    made = spec(client, "py-full")
    container = made["TaskTemplate"]["ContainerSpec"]
    assert container["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 1_000_000_000}, container
    assert container["Hosts"] == ["10.9.8.7 db.example"], container["Hosts"]
    assert container["Init"] is True
    assert [one["Type"] for one in container["Mounts"]] == ["volume", "tmpfs", "bind"]
    assert made["TaskTemplate"]["RestartPolicy"]["MaxAttempts"] == 3
    assert made["UpdateConfig"]["FailureAction"] == "rollback"
    assert made["TaskTemplate"]["LogDriver"]["Options"] == {"max-size": "1m"}


@case
def service_with_placement(client):
    node = client.nodes.list()[0]
    service = client.services.create(
        IMAGE,
        name="py-placed",
        constraints=["node.id==%s" % node.id],
        preferences=[PlacementPreference("spread", "node.labels.zone")],
        maxreplicas=2,
        platforms=[("", "linux")],
        mode=ServiceMode("replicated", replicas=2),
    )
    running(service, 2)
    tasks = service.tasks(filters={"desired-state": "running"})
    assert {one["NodeID"] for one in tasks} == {node.id}
    placement = spec(client, "py-placed")["TaskTemplate"]["Placement"]
    assert placement["MaxReplicas"] == 2


@case
def low_level_service_with_rollback_config(client):
    made = Placement(constraints=["node.role==manager"], maxreplicas=1)
    template = docker.types.TaskTemplate(docker.types.ContainerSpec(IMAGE), placement=made)
    rollback = RollbackConfig(parallelism=1, order="start-first")
    client.api.create_service(template, name="py-low", rollback_config=rollback)
    running(fresh(client, "py-low"), 1)
    assert spec(client, "py-low")["RollbackConfig"]["Order"] == "start-first"


@case
def service_with_a_published_port(client):
    service = client.services.create(
        IMAGE,
        name="py-port",
        endpoint_spec=EndpointSpec(ports={18080: (80, "tcp"), 18081: (81, "udp", "host")}),
    )
    running(service, 1)
    ports = fresh(client, "py-port").attrs["Endpoint"]["Ports"]
    found = {(one["PublishedPort"], one["Protocol"], one["PublishMode"]) for one in ports}
    assert found == {(18080, "tcp", "ingress"), (18081, "udp", "host")}, found
    assert fresh(client, "py-port").attrs["Endpoint"]["VirtualIPs"], "an address in ingress"


@case
def a_published_port_that_is_taken(client):
    error = raises(
        APIError,
        lambda: client.services.create(
            IMAGE, name="py-taken", endpoint_spec=EndpointSpec(ports={18080: 80})
        ),
        "port '18080' is already in use by service",
    )
    assert "as an ingress port" in str(error), str(error)


@case
def overlay_network(client):
    network = client.networks.create(
        "py-net",
        driver="overlay",
        attachable=True,
        labels={"use": "test"},
        ipam=docker.types.IPAMConfig(
            pool_configs=[docker.types.IPAMPool(subnet="10.77.0.0/24", gateway="10.77.0.1")]
        ),
    )
    network.reload()
    assert network.attrs["Scope"] == "swarm"
    assert network.attrs["Attachable"] is True
    assert network.attrs["IPAM"]["Config"][0]["Subnet"] == "10.77.0.0/24"
    assert "py-net" in [one.name for one in client.networks.list(filters={"driver": "overlay"})]
    assert [one.name for one in client.networks.list(names=["py-net"])] == ["py-net"]
    assert [one.name for one in client.networks.list(filters={"label": "use=test"})] == ["py-net"]


@case
def service_in_a_network_with_aliases(client):
    service = client.services.create(
        IMAGE,
        name="py-netted",
        networks=[NetworkAttachmentConfig("py-net", aliases=["other"])],
    )
    running(service, 1)
    task = service.tasks(filters={"desired-state": "running"})[0]
    assert task["NetworksAttachments"][0]["Addresses"][0].startswith("10.77.0.")
    addresses = fresh(client, "py-netted").attrs["Endpoint"]["VirtualIPs"]
    assert [one["Addr"].startswith("10.77.0.") for one in addresses] == [True]


@case
def a_network_in_use_is_not_removed(client):
    raises(APIError, lambda: client.networks.get("py-net").remove(), "in use")


@case
def service_in_dnsrr_mode(client):
    service = client.services.create(
        IMAGE, name="py-dnsrr", networks=["py-net"], endpoint_spec=EndpointSpec(mode="dnsrr")
    )
    running(service, 1)
    assert spec(client, "py-dnsrr")["EndpointSpec"]["Mode"] == "dnsrr"


@case
def dnsrr_with_a_published_port(client):
    raises(
        APIError,
        lambda: client.services.create(
            IMAGE, name="py-both", endpoint_spec=EndpointSpec(mode="dnsrr", ports={18090: 80})
        ),
        "EndpointSpec",
    )


@case
def plain_container_in_the_overlay_network(client):
    container = client.containers.run(IMAGE, detach=True, network="py-net", name="py-plain")
    try:
        container.reload()
        assert container.attrs["NetworkSettings"]["Networks"]["py-net"]["IPAddress"].startswith("10.77.0.")
    finally:
        container.remove(force=True)


@case
def secret_create_list_inspect(client):
    secret = client.secrets.create(name="py-secret", data=b"hush", labels={"kind": "test"})
    secret.reload()
    assert secret.attrs["Spec"]["Name"] == "py-secret"
    assert "Data" not in secret.attrs["Spec"]
    assert [one.id for one in client.secrets.list(filters={"name": "py-secret"})] == [secret.id]


@case
def two_secrets_of_one_name(client):
    error = raises(
        APIError, lambda: client.secrets.create(name="py-secret", data=b"x"), "already exists"
    )
    assert error.status_code == 409


@case
def config_create_list_inspect(client):
    config = client.configs.create(name="py-config", data=b"key = value")
    config.reload()
    assert base64.b64decode(config.attrs["Spec"]["Data"]) == b"key = value"
    assert [one.id for one in client.configs.list(filters={"name": "py-config"})] == [config.id]


@case
def service_with_a_secret_and_a_config(client):
    secret = client.secrets.list(filters={"name": "py-secret"})[0]
    config = client.configs.list(filters={"name": "py-config"})[0]
    service = client.services.create(
        IMAGE,
        name="py-sealed",
        secrets=[SecretReference(secret.id, "py-secret", filename="token", mode=0o400)],
        configs=[ConfigReference(config.id, "py-config", filename="/etc/app.conf")],
    )
    running(service, 1)
    container = spec(client, "py-sealed")["TaskTemplate"]["ContainerSpec"]
    assert container["Secrets"][0]["File"]["Name"] == "token"
    assert container["Configs"][0]["File"]["Name"] == "/etc/app.conf"


@case
def a_secret_in_use_is_not_removed(client):
    secret = client.secrets.list(filters={"name": "py-secret"})[0]
    raises(APIError, secret.remove, "is in use by the following service: py-sealed")


@case
def a_secret_that_is_missing(client):
    raises(
        APIError,
        lambda: client.services.create(
            IMAGE, name="py-lost", secrets=[SecretReference("nonsense", "nonsense")]
        ),
        "nonsense",
    )


@case
def service_logs(client):
    service = fresh(client, "py-replicated")
    for _ in service.logs(stdout=True, stderr=True, timestamps=True):
        break


@case
def events_have_services(client):
    stream = client.events(decode=True, filters={"type": "service"})
    service = client.services.create(IMAGE, name="py-event", mode=ServiceMode("replicated", 0))
    for event in stream:
        if event["Actor"]["Attributes"].get("name") == "py-event":
            assert event["Action"] == "create"
            assert event["scope"] == "swarm"
            break
    stream.close()
    service.remove()


@case
def job(client):
    template = docker.types.TaskTemplate(
        docker.types.ContainerSpec(IMAGE, command=["/bin/true"]),
        restart_policy=RestartPolicy("none"),
    )
    mode = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 2}}
    client.api.create_service(template, name="py-job", mode=mode)
    service = fresh(client, "py-job")

    def done():
        return sum(one["Status"]["State"] == "complete" for one in service.tasks()) == 2

    until(lambda: "two tasks complete", done)


@case
def wrong_field_is_named(client):
    template = docker.types.TaskTemplate(docker.types.ContainerSpec(IMAGE))
    template["Resources"] = {"Limits": {"NanoCPUs": "many"}}
    error = raises(APIError, lambda: client.api.create_service(template, name="py-bad"))
    assert error.status_code == 400
    assert "NanoCPUs" in str(error), str(error)


@case
def wrong_constraint(client):
    raises(
        APIError,
        lambda: client.services.create(IMAGE, name="py-bad", constraints=["node.colour"]),
        "constraint",
    )


@case
def wrong_name(client):
    raises(APIError, lambda: client.services.create(IMAGE, name="not a name"), "name")


@case
def driver_config_of_a_volume(client):
    mount = Mount("/v", "py-driven", type="volume", driver_config=DriverConfig("local", {"type": "tmpfs", "device": "tmpfs"}))
    service = client.services.create(IMAGE, name="py-driver", mounts=[mount])
    running(service, 1)


@case
def everything_is_removed(client):
    for service in client.services.list(filters={"name": "py-"}):
        assert service.remove()
    raises(NotFound, lambda: client.services.get("py-full"))
    for secret in client.secrets.list(filters={"name": "py-"}):
        assert secret.remove()
    for config in client.configs.list(filters={"name": "py-"}):
        assert config.remove()

    def gone():
        try:
            client.networks.get("py-net").remove()
            return True
        except NotFound:
            return True
        except APIError:
            return False

    until(lambda: "the network is gone", gone)


if __name__ == "__main__":
    run(docker.from_env())
