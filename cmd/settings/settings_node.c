#include "cmd/settings/settings_node.h"

#include "cmd/settings/value.h"
#include "core/base/assert.h"
#include "net/out/resolve.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

uint64_t settings_node_digest(const struct settings *s)
{
    uint64_t digest = 0;
    for (int id = 0; id < SETTING_COUNT; id++) {
        const struct settings_def *def = settings_def((enum setting_id)id);
        if ((def->traits & TRAIT_SHARED) == 0) {
            continue;
        }
        /* Numbers count by what they mean: 1h and 3600 are the same lifetime. */
        char text[SETTING_NAME_SIZE + 160];
        if (def->type == TYPE_NAME) {
            (void)snprintf(text, sizeof(text), "%s=%.100s", def->name, s->values[id].text);
        } else {
            (void)snprintf(text, sizeof(text), "%s=%llu", def->name,
                           (unsigned long long)s->values[id].number);
        }
        digest = XXH3_64bits_withSeed(text, strlen(text), digest);
    }
    return digest;
}

static void copy_text(char *to, size_t size, const struct settings *s, enum setting_id id)
{
    (void)snprintf(to, size, "%s", settings_text(s, id));
}

static void fill_names(const struct settings *s, struct node_config *c)
{
    copy_text(c->name, sizeof(c->name), s, SETTING_NODE_ID);
    copy_text(c->network, sizeof(c->network), s, SETTING_NETWORK);
    copy_text(c->enclave, sizeof(c->enclave), s, SETTING_ENCLAVE);
    copy_text(c->discovery_domain, sizeof(c->discovery_domain), s, SETTING_DISCOVERY_DOMAIN);
    copy_text(c->flux_app, sizeof(c->flux_app), s, SETTING_FLUX_APP_NAME);
    c->version = REPRAM_VERSION;
}

static void fill_flux_api(const struct settings *s, struct node_flux_api *api)
{
    struct value_url url;
    const enum rc rc = value_url(settings_text(s, SETTING_FLUX_API), &url);
    ASSERT(rc == RC_OK); /* it was judged as a setting */
    api->server = url.server;
    api->is_tls = url.is_tls;
    size_t len = strlen(url.path);
    while (len > 0 && url.path[len - 1] == '/') {
        len--;
    }
    (void)snprintf(api->path, sizeof(api->path), "%.*s", (int)len, url.path);
}

static void fill_numbers(const struct settings *s, struct node_config *c)
{
    c->base_port = (uint16_t)settings_number(s, SETTING_BASE_PORT);
    c->max_ports = (uint16_t)settings_number(s, SETTING_MAX_PORTS);
    c->fixed_port = (uint16_t)settings_number(s, SETTING_HTTP_PORT);
    c->providers = (uint32_t)settings_number(s, SETTING_DISCOVERY);
    c->claim_check = settings_number(s, SETTING_CLAIM_CHECK) != 0;
    c->replication_factor = (uint32_t)settings_number(s, SETTING_REPLICATION_FACTOR);
    c->expect_members = (uint32_t)settings_number(s, SETTING_EXPECT_MEMBERS);
    c->ttl_default_s = settings_number(s, SETTING_DEFAULT_TTL);
    c->ttl_min_s = settings_number(s, SETTING_MIN_TTL);
    c->ttl_max_s = settings_number(s, SETTING_MAX_TTL);
    c->value_max = settings_number(s, SETTING_MAX_VALUE_SIZE);
    c->bytes_max = settings_number(s, SETTING_MAX_STORAGE_MB) << 20;
    c->write_timeout_ms = (uint32_t)settings_number(s, SETTING_WRITE_TIMEOUT);
    c->drain_grace_ms = (uint32_t)settings_number(s, SETTING_DRAIN_GRACE);
    c->rate_limit = (uint32_t)settings_number(s, SETTING_RATE_LIMIT);
    c->connections_max = (uint32_t)settings_number(s, SETTING_MAX_CONNECTIONS);
    c->connections_per_ip_max = (uint32_t)settings_number(s, SETTING_MAX_CONNECTIONS_PER_IP);
    c->watchers_max = (uint32_t)settings_number(s, SETTING_MAX_WATCHERS);
    c->idle_timeout_ms = (uint32_t)settings_number(s, SETTING_IDLE_TIMEOUT);
    c->request_timeout_ms = (uint32_t)settings_number(s, SETTING_REQUEST_TIMEOUT);
    c->has_acl = settings_is_set(s, SETTING_ACL_FILE);
    c->cors = settings_text(s, SETTING_CORS);
    c->has_pages = settings_number(s, SETTING_FADE) != 0;
    copy_text(c->tls_cert, sizeof(c->tls_cert), s, SETTING_TLS_CERT);
    copy_text(c->tls_key, sizeof(c->tls_key), s, SETTING_TLS_KEY);
    copy_text(c->tls_ca, sizeof(c->tls_ca), s, SETTING_TLS_CA);
    copy_text(c->pages_folder, sizeof(c->pages_folder), s, SETTING_FADE_DIR);
    c->config_digest = settings_node_digest(s);
}

/* Lists were judged when they were loaded. */
static void fill_lists(const struct settings *s, struct node_config *c)
{
    enum rc rc = value_trust(settings_text(s, SETTING_TRUST_PROXY), &c->trust_all, c->trust,
                             NODE_TRUST_MAX, &c->trust_count);
    ASSERT(rc == RC_OK);
    if (settings_is_set(s, SETTING_PEERS)) {
        rc = value_peers(settings_text(s, SETTING_PEERS), 0, c->peers, NODE_PEERS_MAX,
                         &c->peer_count);
        ASSERT(rc == RC_OK);
    }
    if (strcmp(settings_text(s, SETTING_BIND), "all") != 0) {
        rc = addr_parse_ip(settings_text(s, SETTING_BIND), 0, &c->bind);
        ASSERT(rc == RC_OK);
    }
}

/* `advertise` has port 0 while it is unknown; the port itself means nothing there. */
static enum rc fill_address(struct settings *s, struct node_config *c)
{
    const char *why = "";
    size_t count = 0;
    if (!settings_is_set(s, SETTING_ADDRESS)) {
        return RC_OK;
    }
    if (resolve_wait(settings_text(s, SETTING_ADDRESS), 0, &c->advertise, 1, &count, &why) !=
        RC_OK) {
        report_add(
            &s->errors,
            "REPRAM_ADDRESS=%.256s (%s) does not resolve now: %s; the node ends, as it would "
            "tell the others another address",
            settings_text(s, SETTING_ADDRESS), s->values[SETTING_ADDRESS].from, why);
        return RC_AGAIN;
    }
    if (addr_is_any(&c->advertise)) {
        report_add(&s->errors,
                   "REPRAM_ADDRESS=%.256s (%s) is no address that another host could reach; "
                   "allowed: an address of this host",
                   settings_text(s, SETTING_ADDRESS), s->values[SETTING_ADDRESS].from);
        return RC_CONFIG;
    }
    c->advertise.port = 1;
    return RC_OK;
}

/* A name is asked for at the servers of resolv.conf, once: these are to take their place. */
static enum rc fill_dns_servers(struct settings *s, struct node_config *c)
{
    struct node_peer servers[NODE_DNS_SERVERS_MAX];
    uint32_t count = 0;
    if (!settings_is_set(s, SETTING_DNS_SERVERS)) {
        return RC_OK;
    }
    const enum rc rc = value_peers(settings_text(s, SETTING_DNS_SERVERS), DNS_PORT, servers,
                                   NODE_DNS_SERVERS_MAX, &count);
    ASSERT(rc == RC_OK);
    for (uint32_t i = 0; i < count; i++) {
        const char *why = "";
        size_t addr_count = 0;
        if (resolve_wait(servers[i].host, servers[i].port, &c->dns_servers[i], 1, &addr_count,
                         &why) != RC_OK) {
            report_add(&s->errors,
                       "REPRAM_DNS_SERVERS: %.256s does not resolve now: %s; the node ends",
                       servers[i].host, why);
            return RC_AGAIN;
        }
    }
    c->dns_server_count = count;
    return RC_OK;
}

enum rc settings_node_config(struct settings *s, struct node_config *ret_config)
{
    memset(ret_config, 0, sizeof(*ret_config));
    ret_config->ready_fd = -1;
    fill_names(s, ret_config);
    fill_flux_api(s, &ret_config->flux_api);
    fill_numbers(s, ret_config);
    fill_lists(s, ret_config);
    resolve_be_brief();
    const enum rc rc = fill_address(s, ret_config);
    return rc == RC_OK ? fill_dns_servers(s, ret_config) : rc;
}
