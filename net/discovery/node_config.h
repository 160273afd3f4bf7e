/*
 * node_config: the settings of a running node, and the hooks to which it reports. cmd reads and
 * checks the settings, and takes the log and the notices.
 *
 * Plain data: nothing here reads an environment or a file.
 */
#ifndef NET_DISCOVERY_NODE_CONFIG_H
#define NET_DISCOVERY_NODE_CONFIG_H

#include "core/base/addr.h"
#include "core/base/rc.h"
#include "gossip/wire/member.h"
#include "gossip/wire/outbox.h"
#include "net/http/proxy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NODE_TEXT_SIZE = 256,
    NODE_PATH_SIZE = 1024,
    NODE_PEERS_MAX = 256,
    NODE_TRUST_MAX = 32,
    NODE_DNS_SERVERS_MAX = 8
};

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct acl;
struct keyring_items;

struct node_hooks {
    void *arg;
    /* `event` is a short stable word (claim, discovery, member, link, join, sync, http, ...); the
     * rest is prose. */
    void (*log)(void *arg, enum log_level level, const char *event, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
    void (*notice)(void *arg, const struct notice *notice); /* the engine's, but for a flood */
    /* So many of the kind were left out; 0: others will be from now on. */
    void (*left_out)(void *arg, enum notice_kind kind, uint32_t count);
    enum log_level (*level)(void *arg); /* the least that log() prints */
    void (*reload)(void *arg);          /* SIGHUP: re-read what can change while running */
    /* With has_acl, asked at the start, and after reload(): the rules, which pass to the caller, or
     * NULL when they are no good, which it has said. */
    struct acl *(*acl)(void *arg);
    /* The cluster's keys, which the caller wipes: asked for at the start, and after reload(). False
     * when there are none, or none to replace those that are in use. */
    bool (*keys)(void *arg, struct keyring_items *ret_keys);
    uint64_t (*lines_dropped)(void *arg); /* for the metrics: log lines lost to a full pipe */
};

enum node_provider {
    PROVIDER_PORT_RANGE = 1,
    PROVIDER_STATIC = 2,
    PROVIDER_DNS = 4,
    PROVIDER_FLUX = 8,
    PROVIDER_SRV = 16,
};

struct node_peer { /* an entry of REPRAM_PEERS */
    char host[NODE_TEXT_SIZE];
    uint16_t port;
};

struct node_flux_api { /* REPRAM_FLUX_API */
    struct node_peer server;
    char path[NODE_TEXT_SIZE]; /* empty, or begins with '/' and does not end with it */
    bool is_tls;
};

struct node_config {
    char name[NAME_SIZE]; /* empty: generated from the uuid */
    char network[NAME_SIZE];
    char enclave[NAME_SIZE];
    char discovery_domain[NODE_TEXT_SIZE];
    uint16_t base_port, max_ports;
    uint16_t fixed_port;   /* 0: claim one of the range */
    struct addr bind;      /* addr_is_any(): every interface, both families */
    struct addr advertise; /* port 0: unknown; else REPRAM_ADDRESS or FLUX_NODE_HOST_IP resolved,
                              port ignored */
    uint32_t providers;    /* set of enum node_provider */
    uint32_t dns_server_count; /* 0: those of resolv.conf */
    struct addr dns_servers[NODE_DNS_SERVERS_MAX];
    bool claim_check;
    struct node_flux_api flux_api;
    char flux_app[NODE_TEXT_SIZE]; /* FLUX_APP_NAME; stands in a path as it is */
    uint32_t peer_count;
    struct node_peer peers[NODE_PEERS_MAX];
    uint32_t replication_factor;
    uint64_t ttl_default_s, ttl_min_s, ttl_max_s;
    uint64_t value_max;
    uint64_t bytes_max;      /* never 0 here: auto is resolved by the caller */
    uint32_t expect_members; /* of a new enclave before it begins; 0: any number */
    bool has_siblings;       /* started by a launcher of several */
    uint32_t write_timeout_ms;
    uint32_t
        drain_grace_ms;  /* told to stop, it serves on for so long, and says that it is not ready */
    uint32_t rate_limit; /* requests per second per client address, 0 off */
    uint32_t connections_max, connections_per_ip_max; /* the latter 0: off */
    uint32_t watchers_max;
    uint32_t idle_timeout_ms, request_timeout_ms;
    bool trust_all;
    uint32_t trust_count;
    struct node_cidr trust[NODE_TRUST_MAX];
    uint64_t config_digest; /* of the settings that nodes of one cluster should share; shown in
                               /status */
    const char *version;
    /* -1, or a descriptor: one line "port <n>\n" is written once the port is claimed, and it is
     * closed. */
    int ready_fd;
    bool has_acl;     /* hooks->acl() says who may do what; else all may do everything */
    const char *cors; /* borrowed: REPRAM_CORS; NULL: any */
    char tls_cert[NODE_PATH_SIZE]; /* "": no HTTPS */
    char tls_key[NODE_PATH_SIZE];
    char tls_ca[NODE_PATH_SIZE];       /* "": clients are not asked for certificates */
    bool has_pages;                    /* /fade/ is served */
    char pages_folder[NODE_PATH_SIZE]; /* "": what is embedded */
};

#endif
