/*
 * engine_config: the settings that an engine gets once, at its start.
 */
#ifndef GOSSIP_ENGINE_CONFIG_H
#define GOSSIP_ENGINE_CONFIG_H

#include "core/base/siphash.h"
#include "gossip/wire/member.h"

struct keyring_items;
struct pagepool;
struct seal_ops;

struct engine_config {
    struct uuid uuid;                  /* random, never nil */
    uint64_t boot;                     /* wall clock at start, ms */
    uint64_t host_tag;                 /* equal for nodes of one host and network namespace */
    uint64_t seed;                     /* for choices and jitter */
    uint64_t table_seed;               /* unpredictable, and never sent to anybody */
    uint8_t secret[SIPHASH_KEY_BYTES]; /* unpredictable; others see what is made with it */
    uint64_t wall_ms; /* wall clock, ms since the epoch, at `now_us` of engine_new() */
    char name[NAME_SIZE];
    char network[NAME_SIZE]; /* the cluster's name */
    char enclave[NAME_SIZE];
    uint32_t addr_count; /* how others may reach this node */
    struct member_addr addrs[MEMBER_ADDRS_MAX];
    uint32_t replication_factor;
    uint32_t write_timeout_ms;
    uint64_t bytes_max;
    uint64_t value_max;              /* sent to peers, which log a difference */
    uint64_t ttl_min_ms, ttl_max_ms; /* likewise; the front door clamps */
    uint32_t expect_members;         /* of a new enclave, gossip/expect; 0: any number */
    struct pagepool *pages;          /* as store_config's; NULL: its own */
    const struct seal_ops *seal; /* borrowed until the engine is freed; may be NULL without keys */
    const struct keyring_items *keys; /* borrowed for engine_new(), which asserts that
                                         keyring_init() takes them; NULL: open */
};

#endif
