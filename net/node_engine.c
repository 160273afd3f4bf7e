#include "net/node_engine.h"

#include "net/sys/hostclock.h"
#include "net/sys/hostinfo.h"

#include <stdio.h>
#include <string.h>

void node_engine_name(const struct uuid *uuid, const struct node_config *config,
                      char ret_name[static NAME_SIZE])
{
    char text[UUID_TEXT_SIZE];
    if (config->name[0] != '\0') {
        memcpy(ret_name, config->name, NAME_SIZE);
        ret_name[NAME_SIZE - 1] = '\0';
    } else {
        (void)snprintf(ret_name, NAME_SIZE, "node-%.8s", uuid_format(uuid, text));
    }
}

enum rc node_engine_config(const struct node_engine *of, struct engine_config *ret_config)
{
    const struct node_config *c = of->config;
    struct {
        uint64_t engine, table;
        uint8_t secret[SIPHASH_KEY_BYTES];
    } seeds;
    const enum rc rc = hostinfo_random(&seeds, sizeof(seeds));
    if (rc != RC_OK) {
        return rc;
    }
    struct addr own[HOSTINFO_ADDRS_MAX];
    const size_t own_count = hostinfo_addrs(own);
    struct engine_config config = {.uuid = *of->uuid,
                                   .boot = hostclock_wall_ms(),
                                   .host_tag = hostinfo_tag(),
                                   .seed = seeds.engine,
                                   .table_seed = seeds.table,
                                   .wall_ms = hostclock_wall_ms(),
                                   .replication_factor = c->replication_factor,
                                   .write_timeout_ms = c->write_timeout_ms,
                                   .bytes_max = c->bytes_max,
                                   .value_max = c->value_max,
                                   .ttl_min_ms = c->ttl_min_s * 1000,
                                   .ttl_max_ms = c->ttl_max_s * 1000,
                                   .expect_members = c->expect_members,
                                   .pages = of->pages};
    memcpy(config.secret, seeds.secret, sizeof(config.secret));
    memcpy(config.name, of->name, NAME_SIZE);
    memcpy(config.network, c->network, sizeof(config.network));
    memcpy(config.enclave, c->enclave, sizeof(config.enclave));
    config.addr_count =
        hostinfo_card_addrs(&c->bind, &c->advertise, of->port, own, own_count, config.addrs);
    *ret_config = config;
    return RC_OK;
}
