"""Keys of the Compose specification that Slipway does not take, with the reason and what to do instead; and those it
accepts because they change nothing on a fleet, with what it says about them."""

from __future__ import annotations

from slipway.compose.table import Refusal

_LIMITS = "say it under `deploy.resources.limits` (cpus, memory, pids)"
_BY_NAME = "services of one stack reach each other by their names; remove it"
_HOST_NAMESPACE = "remove it; what a container needs of its host goes through ports, volumes and secrets"
_BAKE = "bake the file into the image, or give it as a secret"
_DEVICE = "run what needs a device as a service of the host, with a role of its own"
_BUILD_ELSEWHERE = "build the image before the deploy and name it under `image`"

SERVICE_REFUSED = {
    "annotations": Refusal("only some runtimes read them", "use `labels`"),
    "blkio_config": Refusal("limits by device name differ from host to host", _LIMITS),
    "cgroup": Refusal("the engine decides the control group", "remove it"),
    "cgroup_parent": Refusal("the engine decides the control group", "remove it"),
    "configs": Refusal("a configuration file belongs to the release", _BAKE),
    "cpu_count": Refusal("it is a Windows setting", _LIMITS),
    "cpu_percent": Refusal("it is a Windows setting", _LIMITS),
    "cpu_period": Refusal("processor time is limited in one way only", _LIMITS),
    "cpu_quota": Refusal("processor time is limited in one way only", _LIMITS),
    "cpu_rt_period": Refusal("real-time scheduling needs a kernel set up for it", "remove it"),
    "cpu_rt_runtime": Refusal("real-time scheduling needs a kernel set up for it", "remove it"),
    "cpu_shares": Refusal("a share means something else on every host", _LIMITS),
    "cpuset": Refusal("processor numbers differ from host to host", _LIMITS),
    "credential_spec": Refusal("it is a Windows setting", "remove it"),
    "device_cgroup_rules": Refusal("devices of the host are not given to containers", _DEVICE),
    "devices": Refusal("devices of the host are not given to containers", _DEVICE),
    "dns_opt": Refusal("resolver options are the host's", "remove it, or set them in the base role"),
    "domainname": Refusal("the domain is the host's", "use `hostname` for the name inside the container"),
    "extends": Refusal("one file describes the whole stack", "use a YAML anchor and `<<`, or copy the keys"),
    "external_links": Refusal("links are older than networks", "give the address in `environment`"),
    "gpus": Refusal("devices of the host are not given to containers", _DEVICE),
    "ipc": Refusal("a container keeps its own namespaces", _HOST_NAMESPACE),
    "isolation": Refusal("it is a Windows setting", "remove it"),
    "label_file": Refusal("labels stand in one place", "write them under `labels`"),
    "links": Refusal("links are older than networks", _BY_NAME),
    "log_driver": Refusal("it is the first Compose format's key", "use `logging.driver`"),
    "log_opt": Refusal("it is the first Compose format's key", "use `logging.options`"),
    "mac_address": Refusal("replicas would share it", "remove it"),
    "mem_swappiness": Refusal("swapping is the host's setting", _LIMITS),
    "memswap_limit": Refusal("swap hides a memory limit that is too small", _LIMITS),
    "models": Refusal("Slipway runs no models", "run the model server as a service and give its address"),
    "net": Refusal("it is the first Compose format's key", _HOST_NAMESPACE),
    "network_mode": Refusal("a container keeps its own network, bound to the host's private address", _HOST_NAMESPACE),
    "oom_kill_disable": Refusal("the host would stall instead of the service", _LIMITS),
    "oom_score_adj": Refusal("it would let another service die first", _LIMITS),
    "pid": Refusal("a container keeps its own namespaces", _HOST_NAMESPACE),
    "post_start": Refusal("nothing would roll back what it did", "start it from the image's entry point"),
    "pre_stop": Refusal(
        "the edge drains a replica before it stops", "handle `stop_signal`, and set x-slipway.drain_seconds"
    ),
    "privileged": Refusal("it is root on the host", "name the capability it needs under `cap_add`"),
    "profiles": Refusal("a stack is one thing everywhere", "put what differs into group data, or into a second stack"),
    "provider": Refusal("services are containers", "describe what it provides as a service or a role"),
    "runtime": Refusal("the engine's own runtime is used", "set the default runtime in the docker role"),
    "storage_opt": Refusal("it depends on the host's storage driver", "remove it"),
    "use_api_socket": Refusal(
        "it hands out the engine, which is root on the host", "bind the socket and allow it by x-slipway"
    ),
    "userns_mode": Refusal("a container keeps its own namespaces", _HOST_NAMESPACE),
    "uts": Refusal("a container keeps its own namespaces", _HOST_NAMESPACE),
    "volume_driver": Refusal("it is the first Compose format's key", "use a named volume"),
    "volumes_from": Refusal("services do not share containers", "mount the same named volume in both"),
}

SERVICE_NOTED = {
    "attach": "left out: nobody is attached to a service on a host",
    "develop": "left out: it is for the developer's machine",
    "platform": "left out: the image's digest decides the platform",
    "pull_policy": "left out: an image reaches a host by digest, only where it is missing",
    "pull_refresh_after": "left out: an image reaches a host by digest, only where it is missing",
    "stdin_open": "left out: nobody is attached to a service on a host",
    "tty": "left out: nobody is attached to a service on a host",
}

DEPLOY_REFUSED = {
    "endpoint_mode": Refusal("the edge balances, by the key x-slipway.edge.balance", "remove it"),
}

DEPLOY_NOTED = {
    "labels": "left out: they are labels of a Swarm service; labels of containers stand beside `image`",
}

RESTART_NOTED = {
    "delay": "left out: the engine waits longer after each failure by itself",
    "window": "left out: the engine counts failures until the container has run for ten seconds",
}

RESERVATION_REFUSED = {
    "devices": Refusal("devices of the host are not given to containers", _DEVICE),
    "generic_resources": Refusal(
        "they are Swarm's", "put such hosts into an inventory group and name it x-slipway.group"
    ),
}

PLACEMENT_NOTED = {
    "preferences": "left out: replicas are spread over the hosts of their group anyway",
}

BUILD_REFUSED = {
    "additional_contexts": Refusal("an image is built from one directory", _BUILD_ELSEWHERE),
    "cache_to": Refusal("the engine keeps its own cache", "remove it"),
    "dockerfile_inline": Refusal("the Dockerfile is a file under version control", "write it beside the source"),
    "entitlements": Refusal("a build gets nothing of the host", _BUILD_ELSEWHERE),
    "extra_hosts": Refusal("a build that needs them gives another image elsewhere", _BUILD_ELSEWHERE),
    "isolation": Refusal("it is a Windows setting", "remove it"),
    "labels": Refusal("labels of an image belong to its Dockerfile", "write LABEL there"),
    "network": Refusal("a build that needs it gives another image elsewhere", _BUILD_ELSEWHERE),
    "platforms": Refusal("an image is built for the hosts it runs on", _BUILD_ELSEWHERE),
    "privileged": Refusal("a build gets nothing of the host", _BUILD_ELSEWHERE),
    "provenance": Refusal("attestations need a registry", _BUILD_ELSEWHERE),
    "sbom": Refusal("attestations need a registry", _BUILD_ELSEWHERE),
    "secrets": Refusal("a build gets no secrets", _BUILD_ELSEWHERE),
    "shm_size": Refusal("a build gets the engine's own limits", "remove it"),
    "ssh": Refusal("a build gets no keys", _BUILD_ELSEWHERE),
    "tags": Refusal("a release names its images itself", "write one name under `image`"),
    "ulimits": Refusal("a build gets the engine's own limits", "remove it"),
}

BUILD_NOTED = {
    "cache_from": "left out: the engine keeps its own cache",
    "no_cache": "left out: the engine keeps its own cache",
    "pull": "left out: base images are pulled where they are missing",
}

TOP_REFUSED = {
    "configs": Refusal("a configuration file belongs to the release", _BAKE),
    "include": Refusal("one file describes the whole stack", "copy the services, or make it a second stack"),
    "models": Refusal("Slipway runs no models", "run the model server as a service and give its address"),
}

TOP_NOTED = {
    "version": "left out: the specification has no versions any more",
}

_NETWORK = "all services of a stack reach each other by name, over the hosts' private addresses; remove it"

NETWORK_REFUSED = {
    "driver_opts": Refusal("containers use their host's private address", _NETWORK),
    "enable_ipv4": Refusal("containers use their host's private address", _NETWORK),
    "enable_ipv6": Refusal("containers use their host's private address", _NETWORK),
    "external": Refusal("a network of one engine does not reach other hosts", _NETWORK),
    "internal": Refusal("it would cut the service off from other hosts", _NETWORK),
    "ipam": Refusal("containers use their host's private address", _NETWORK),
}

NETWORK_NOTED = {
    "attachable": "left out: Slipway starts every container itself",
    "labels": "left out: the network is the engine's own",
    "name": "left out: all services of a stack reach each other by name",
}

ATTACHMENT_REFUSED = {
    "aliases": Refusal("a service has one name", "use the service's own name"),
    "driver_opts": Refusal("containers use their host's private address", "remove it"),
    "gw_priority": Refusal("a container has one network", "remove it"),
    "interface_name": Refusal("a container has one network", "remove it"),
    "ipv4_address": Refusal("addresses belong to hosts", "use the service's name"),
    "ipv6_address": Refusal("addresses belong to hosts", "use the service's name"),
    "link_local_ips": Refusal("addresses belong to hosts", "use the service's name"),
    "mac_address": Refusal("replicas would share it", "remove it"),
    "priority": Refusal("a container has one network", "remove it"),
}

VOLUME_REFUSED = {
    "driver_opts": Refusal(
        "what a volume is made of is the host's matter", "mount it on the host and bind its absolute path"
    ),
    "external": Refusal(
        "Slipway makes the volume on each host that needs it", "remove it, and give its name under `name`"
    ),
}

VOLUME_NOTED = {
    "labels": "left out: a volume is known by its name",
}

SECRET_REFUSED = {
    "driver": Refusal("secrets come from the inventory's secret source", "write `external: true`"),
    "driver_opts": Refusal("secrets come from the inventory's secret source", "write `external: true`"),
    "template_driver": Refusal("a secret is written as it is", "write `external: true`"),
}

SECRET_NOTED = {
    "labels": "left out: a secret is known by its name",
}

MOUNT_REFUSED = {
    "cluster": Refusal("cluster volumes are Swarm's", "mount the storage on the host and bind its absolute path"),
    "image": Refusal("an image is no volume here", _BAKE),
    "npipe": Refusal("it is a Windows setting", "remove it"),
}

MOUNT_NOTED = {
    "consistency": "left out: it is for the developer's machine",
}

BIND_REFUSED = {
    "propagation": Refusal("mounts of a container stay in it", "remove it"),
    "recursive": Refusal("a directory is bound with what is mounted in it", "remove it"),
    "selinux": Refusal("the hosts have no SELinux", "remove it"),
}

BIND_NOTED = {
    "create_host_path": "left out: Slipway makes the directory where it is missing",
}

NAMED_REFUSED = {
    "labels": Refusal("a volume is known by its name", "remove it"),
    "nocopy": Refusal("the engine fills a new volume from the image", "remove it"),
    "subpath": Refusal("a volume is mounted whole", "use a volume for each directory"),
}

TMPFS_REFUSED = {
    "mode": Refusal("a tmpfs of `volumes` has the usual mode", "use the service's `tmpfs: [/path:mode=...]`"),
}

PORT_NOTED = {
    "app_protocol": "left out: x-slipway.edge says how the edge speaks to it",
    "mode": "left out: a port is its host's; x-slipway.edge balances over hosts",
    "name": "left out: a port is known by its number",
}

DEPENDENCY_REFUSED = {
    "restart": Refusal("the restart of one service takes no other with it", "let the application reconnect; remove it"),
}
