# Two allocations of the image with three nodes each, on the hosts' own network. `hosts` names every
# client that may run one; each node asks all of them. With Consul no list is needed: provider = "consul" for the
# service, its check on /livez, REPRAM_DISCOVERY = "port-range,srv", DISCOVERY_DOMAIN = "repram.service.consul" and
# REPRAM_DNS_SERVERS = "127.0.0.1:8600" (docs/configuration.md, "Names").
variable "hosts" {
  type        = string
  description = "host:port of nodes on the Nomad clients, comma separated"
  default     = ""
}

# true: the cluster is sealed with what Nomad's variable nomad/jobs/repram has as cluster_secret:
#   nomad var put nomad/jobs/repram cluster_secret="$(repram keygen)"
# For a cluster that runs open, in steps (docs/security.md): open,KEY and the job with sealed=true; then
# KEY,open; then KEY.
# A change of it reaches every node by itself, as a HUP (docs/security.md has the steps).
variable "sealed" {
  type    = bool
  default = false
}

job "repram" {
  type = "service"

  group "nodes" {
    count = 2

    constraint {
      distinct_hosts = true
    }

    network {
      mode = "host"
      port "http" { static = 8081 }
    }

    task "launcher" {
      driver       = "docker"
      # More than REPRAM_DRAIN_GRACE, 1 s, and the 7 s in which a node leaves.
      kill_timeout = "10s"

      config {
        image        = "ticktockbent/repram-flux:latest"
        network_mode = "host"
      }

      env {
        NODE_COUNT       = "3"
        REPRAM_NODE_ID   = "${node.unique.name}"
        REPRAM_ADDRESS   = "${attr.unique.network.ip-address}"
        REPRAM_DISCOVERY = var.hosts == "" ? "port-range" : "port-range,static"
        REPRAM_PEERS     = var.hosts

        REPRAM_CLUSTER_SECRET_FILE = var.sealed ? "/secrets/cluster-secret" : ""
      }

      dynamic "template" {
        for_each = var.sealed ? ["cluster-secret"] : []
        content {
          data          = "{{ with nomadVar \"nomad/jobs/repram\" }}{{ .cluster_secret }}{{ end }}"
          destination   = "secrets/cluster-secret"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          perms         = "400"
          uid           = 10001
          gid           = 10001
        }
      }

      resources {
        cpu    = 500
        memory = 512
      }

      service {
        name     = "repram"
        provider = "nomad"
        port     = "http"

        check {
          type     = "http"
          path     = "/readyz"
          interval = "5s"
          timeout  = "2s"
        }
      }
    }
  }
}
