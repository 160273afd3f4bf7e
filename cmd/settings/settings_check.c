#include "cmd/settings/settings_check.h"

#include "cmd/settings/acl_file.h"
#include "cmd/settings/handover.h"
#include "cmd/settings/secret.h"
#include "core/base/addr.h"
#include "core/base/mem.h"
#include "net/crypto/key_text.h"
#include "net/crypto/seal_openssl.h"
#include "net/crypto/tls_files.h"
#include "net/node.h"
#include "net/out/resolve.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    /* Descriptors that are no client connection: peer links, listeners, DNS, log, epoll. */
    DESCRIPTORS_RESERVED = 256,
    CONNECTIONS_MIN = 16,
    STORAGE_MIN_MB = 1,
    NODE_NUMBER_LEN_MAX = 5, /* "-1000" behind the name of a launched node */
    /* The launcher holds two pipes of each node, and a node up to one link to each other one.
     * Besides these the launcher has some 10 open, and a node 12 and its clients. */
    DESCRIPTORS_PER_NODE = 2,
    DESCRIPTORS_BESIDES = 24,
};

/* Peers that are named are asked although nobody named the provider `static`; REPRAM v2 did so
 * too. */
static void derive_providers(struct settings *s)
{
    const bool is_flux = settings_is_set(s, SETTING_FLUX_APP_NAME);
    const bool has_peers = settings_is_set(s, SETTING_PEERS);
    char text[64];
    char from[64];
    if (settings_is_set(s, SETTING_DISCOVERY)) {
        return;
    }
    (void)snprintf(text, sizeof(text), "port-range%s%s", is_flux ? ",flux" : "",
                   has_peers ? ",static" : "");
    (void)snprintf(from, sizeof(from), "default%s%s%s%s", is_flux || has_peers ? " with " : "",
                   is_flux ? "FLUX_APP_NAME" : "", is_flux && has_peers ? " and " : "",
                   has_peers ? "REPRAM_PEERS" : "");
    settings_set(s, SETTING_DISCOVERY, text,
                 PROVIDER_PORT_RANGE | (is_flux ? (uint32_t)PROVIDER_FLUX : 0) |
                     (has_peers ? (uint32_t)PROVIDER_STATIC : 0),
                 from);
}

/* With these providers the domain has the addresses of whoever serves or is registered, and says
 * nothing of where this node's ports lead. */
static void derive_claim_check(struct settings *s)
{
    const uint64_t providers = settings_number(s, SETTING_DISCOVERY);
    if ((providers & PROVIDER_FLUX) != 0) {
        settings_set(s, SETTING_CLAIM_CHECK, "off", 0, "default with the flux provider");
    } else if ((providers & PROVIDER_SRV) != 0) {
        settings_set(s, SETTING_CLAIM_CHECK, "off", 0, "default with the srv provider");
    } else {
        settings_set(s, SETTING_CLAIM_CHECK, "on", 1, "default");
    }
}

static void derive_discovery(struct settings *s)
{
    derive_providers(s);
    if (!settings_is_set(s, SETTING_CLAIM_CHECK)) {
        derive_claim_check(s);
    }
    if (!settings_is_set(s, SETTING_ADDRESS) && settings_is_set(s, SETTING_FLUX_NODE_HOST_IP)) {
        settings_set(s, SETTING_ADDRESS, settings_text(s, SETTING_FLUX_NODE_HOST_IP), 0,
                     "environment FLUX_NODE_HOST_IP");
    }
}

static void set_number(struct settings *s, enum setting_id id, uint64_t number, const char *from)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    settings_set(s, id, text, number, from);
}

void settings_check_derive(struct settings *s, const struct settings_host *host)
{
    derive_discovery(s);
    if (!settings_is_set(s, SETTING_MAX_CONNECTIONS)) {
        const uint64_t most = host->descriptors > DESCRIPTORS_RESERVED + CONNECTIONS_MIN
                                  ? host->descriptors - DESCRIPTORS_RESERVED
                                  : CONNECTIONS_MIN;
        set_number(s, SETTING_MAX_CONNECTIONS, most, "default: nofile - 256");
    }
    if (settings_number(s, SETTING_MAX_STORAGE_MB) == 0) {
        const uint64_t nodes = settings_number(s, SETTING_NODE_COUNT);
        const uint64_t mb = host->memory_bytes / 2 / (nodes > 0 ? nodes : 1) >> 20;
        set_number(s, SETTING_MAX_STORAGE_MB, mb > STORAGE_MIN_MB ? mb : STORAGE_MIN_MB,
                   "auto: half of the memory limit / NODE_COUNT");
    }
}

static unsigned long long number(const struct settings *s, enum setting_id id)
{
    return (unsigned long long)settings_number(s, id);
}

static void check_ports(struct settings *s)
{
    const unsigned long long base = number(s, SETTING_BASE_PORT);
    const unsigned long long ports = number(s, SETTING_MAX_PORTS);
    if (base + ports - 1 > 65535 && !settings_is_set(s, SETTING_HTTP_PORT)) {
        report_add(&s->errors,
                   "BASE_PORT %llu with MAX_PORTS %llu ends at port %llu; allowed: a range that "
                   "ends at 65535 at most",
                   base, ports, base + ports - 1);
    }
}

static void check_ttls(struct settings *s)
{
    static const struct {
        enum setting_id low, high;
    } pairs[] = {{SETTING_MIN_TTL, SETTING_MAX_TTL},
                 {SETTING_MIN_TTL, SETTING_DEFAULT_TTL},
                 {SETTING_DEFAULT_TTL, SETTING_MAX_TTL}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const struct setting *low = &s->values[pairs[i].low];
        const struct setting *high = &s->values[pairs[i].high];
        if (low->number > high->number) {
            report_add(&s->errors,
                       "%s %s (%s) is larger than %s %s (%s); allowed: REPRAM_MIN_TTL <= "
                       "REPRAM_DEFAULT_TTL <= REPRAM_MAX_TTL",
                       settings_def(pairs[i].low)->name, low->text, low->from,
                       settings_def(pairs[i].high)->name, high->text, high->from);
        }
    }
}

static void check_providers(struct settings *s)
{
    const uint64_t providers = settings_number(s, SETTING_DISCOVERY);
    if ((providers & PROVIDER_STATIC) != 0 && !settings_is_set(s, SETTING_PEERS)) {
        report_add(&s->errors,
                   "REPRAM_DISCOVERY %s asks for static peers, and REPRAM_PEERS is "
                   "empty; allowed: REPRAM_PEERS=host:port,...",
                   settings_text(s, SETTING_DISCOVERY));
    }
    if ((providers & PROVIDER_FLUX) != 0 && !settings_is_set(s, SETTING_FLUX_APP_NAME)) {
        report_add(
            &s->errors,
            "REPRAM_DISCOVERY %s asks for instances on Flux, and FLUX_APP_NAME is not in the "
            "environment; allowed: FLUX_APP_NAME=the app's name",
            settings_text(s, SETTING_DISCOVERY));
    }
    struct addr addr, loopback[RESOLVE_LOCALHOST_ADDRS];
    const char *domain = settings_text(s, SETTING_DISCOVERY_DOMAIN);
    if ((providers & PROVIDER_SRV) != 0 &&
        (addr_parse_ip(domain, 0, &addr) == RC_OK || resolve_localhost(domain, loopback) > 0)) {
        report_add(
            &s->errors,
            "REPRAM_DISCOVERY %s asks for the services (SRV) of a name, and DISCOVERY_DOMAIN "
            "%.256s has none; allowed: a name such as repram.service.consul",
            settings_text(s, SETTING_DISCOVERY), domain);
    }
    if ((providers & PROVIDER_STATIC) == 0 && settings_is_set(s, SETTING_PEERS)) {
        report_add(&s->remarks,
                   "REPRAM_PEERS is set and not used: REPRAM_DISCOVERY %s has no `static`",
                   settings_text(s, SETTING_DISCOVERY));
    }
}

/* A value of 10 MiB does not fit into a store of 8. */
static void check_sizes(struct settings *s)
{
    const uint64_t storage = settings_number(s, SETTING_MAX_STORAGE_MB) << 20;
    if (settings_number(s, SETTING_MAX_VALUE_SIZE) > storage) {
        report_add(&s->remarks,
                   "REPRAM_MAX_VALUE_SIZE %s is larger than REPRAM_MAX_STORAGE_MB %s (%s): the "
                   "largest values will be refused with 507",
                   settings_text(s, SETTING_MAX_VALUE_SIZE),
                   settings_text(s, SETTING_MAX_STORAGE_MB),
                   s->values[SETTING_MAX_STORAGE_MB].from);
    }
}

/* Looked for now: if it were missing later, pages would be 404 and nobody would know why. */
static void check_pages(struct settings *s)
{
    const char *folder = settings_text(s, SETTING_FADE_DIR);
    struct stat st;
    if (folder[0] != '\0' &&
        (strlen(folder) >= NODE_PATH_SIZE || stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))) {
        char allowed[SETTINGS_ALLOWED_SIZE];
        report_add(&s->errors, "REPRAM_FADE_DIR=%.256s (%s) is not allowed; allowed: %s", folder,
                   s->values[SETTING_FADE_DIR].from,
                   settings_allowed(SETTING_FADE_DIR, allowed, sizeof(allowed)));
    }
    if (folder[0] != '\0' && settings_number(s, SETTING_FADE) == 0) {
        report_add(&s->remarks, "REPRAM_FADE_DIR is set and not used: REPRAM_FADE is off");
    }
}

bool settings_check_is_local(const struct settings *s)
{
    struct addr bind;
    return addr_parse_ip(settings_text(s, SETTING_BIND), 0, &bind) == RC_OK &&
           addr_is_loopback(&bind);
}

bool settings_check_is_exposed(const struct settings *s, const struct settings *keys)
{
    return settings_is_set(s, SETTING_ACL_FILE) && !settings_check_is_local(s) &&
           handover_sealing(keys) == SEALING_OPEN;
}

/* Without a secret whoever reaches the port reads everything as a member, whatever the rules say;
 * without TLS whoever is on the path reads the tokens. On loopback nobody else is there. */
static void check_acl(struct settings *s)
{
    char why[ACL_FILE_WHY_SIZE];
    if (!settings_is_set(s, SETTING_ACL_FILE)) {
        return;
    }
    struct acl *acl = acl_file_read(settings_text(s, SETTING_ACL_FILE), why);
    if (acl == NULL) {
        report_add(&s->errors, "REPRAM_ACL_FILE (%s): %s", s->values[SETTING_ACL_FILE].from, why);
    }
    acl_free(acl);
    if (settings_check_is_local(s)) {
        return;
    }
    if (handover_sealing(s) == SEALING_MIXED) {
        report_add(&s->warnings,
                   "REPRAM_ACL_FILE is set and REPRAM_CLUSTER_SECRET has the word open: until it "
                   "has not, whoever reaches the port reads everything as a node");
    } else if (settings_check_is_exposed(s, s)) {
        report_add(
            &s->errors,
            "REPRAM_ACL_FILE is set and REPRAM_CLUSTER_SECRET has no key: whoever reaches the "
            "port would read everything as a node; allowed: a secret "
            "(REPRAM_CLUSTER_SECRET_FILE), or REPRAM_BIND=127.0.0.1");
    }
    if (!settings_is_set(s, SETTING_TLS_CERT)) {
        report_add(&s->warnings,
                   "REPRAM_ACL_FILE is set and REPRAM_TLS_CERT is not: tokens cross the network "
                   "unencrypted");
    }
}

/* A certificate, its key and the authorities of clients are judged by reading them, as the node
 * will read them: one that could not serve is better off not started. */
static void check_tls(struct settings *s)
{
    static const enum setting_id files[] = {SETTING_TLS_CERT, SETTING_TLS_KEY, SETTING_TLS_CA};
    char why[TLS_FILES_WHY_SIZE];
    const bool has_cert = settings_is_set(s, SETTING_TLS_CERT);
    const bool has_key = settings_is_set(s, SETTING_TLS_KEY);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (strlen(settings_text(s, files[i])) >= NODE_PATH_SIZE) {
            report_add(&s->errors, "%s is too long; allowed: a path of at most %d bytes",
                       settings_def(files[i])->name, NODE_PATH_SIZE - 1);
            return;
        }
    }
    if (has_cert != has_key || (settings_is_set(s, SETTING_TLS_CA) && !has_cert)) {
        report_add(&s->errors,
                   "REPRAM_TLS_CERT, REPRAM_TLS_KEY and REPRAM_TLS_CA: %s is not set; allowed: a "
                   "certificate with its key, and authorities only beside them",
                   has_cert ? "REPRAM_TLS_KEY" : "REPRAM_TLS_CERT");
    } else if (has_cert && tls_files_check(settings_text(s, SETTING_TLS_CERT),
                                           settings_text(s, SETTING_TLS_KEY),
                                           settings_text(s, SETTING_TLS_CA), why) == RC_CONFIG) {
        report_add(&s->errors, "REPRAM_TLS_CERT, REPRAM_TLS_KEY, REPRAM_TLS_CA: %s", why);
    } else if (has_cert) {
        secret_warn_of_readers("REPRAM_TLS_KEY", settings_text(s, SETTING_TLS_KEY), &s->warnings);
    }
}

/* Ids are 2 bytes, so two good keys may have one by chance; with one network they have it
 * everywhere, and nobody could tell which of them is meant. */
static void check_keys(struct settings *s)
{
    const char *text = settings_text(s, SETTING_CLUSTER_SECRET);
    struct keyring_items items;
    struct keyring ring;
    char fault[KEY_TEXT_FAULT_SIZE];
    if (*text == '\0') {
        return;
    }
    struct seal_openssl *crypto = seal_openssl_new();
    enum rc rc = crypto == NULL ? RC_NO_MEMORY : key_text_parse(text, strlen(text), &items, fault);
    if (rc == RC_OK) {
        rc = keyring_init(&ring, seal_openssl_ops(crypto), settings_text(s, SETTING_NETWORK),
                          &items);
        mem_wipe(&items, sizeof(items));
    }
    if (rc == RC_OK) {
        keyring_fini(&ring);
    } else {
        report_add(
            &s->errors, "REPRAM_CLUSTER_SECRET (%s): %s", s->values[SETTING_CLUSTER_SECRET].from,
            rc == RC_EXISTS ? "two of its keys have the same id; make another key" : rc_text(rc));
    }
    seal_openssl_free(crypto);
}

static void check_descriptors(struct settings *s, const struct settings_host *host)
{
    const unsigned long long nodes = number(s, SETTING_NODE_COUNT);
    const unsigned long long needed = DESCRIPTORS_BESIDES + DESCRIPTORS_PER_NODE * nodes;
    if (needed > host->descriptors) {
        report_add(&s->errors,
                   "NODE_COUNT %llu needs %llu open files, and the limit (ulimit -Hn) is %llu; "
                   "allowed: fewer nodes or a higher limit, %d and %d for each node",
                   nodes, needed, (unsigned long long)host->descriptors, DESCRIPTORS_BESIDES,
                   DESCRIPTORS_PER_NODE);
    }
}

static void check_launch(struct settings *s)
{
    const unsigned long long nodes = number(s, SETTING_NODE_COUNT);
    if (settings_is_set(s, SETTING_HTTP_PORT)) {
        if (nodes > 1) {
            report_add(
                &s->errors,
                "REPRAM_HTTP_PORT %s is one port and NODE_COUNT is %llu; allowed: NODE_COUNT "
                "1, or the range of BASE_PORT and MAX_PORTS",
                settings_text(s, SETTING_HTTP_PORT), nodes);
        }
    } else if (nodes > number(s, SETTING_MAX_PORTS)) {
        report_add(&s->errors,
                   "NODE_COUNT %llu is larger than MAX_PORTS %llu; allowed: one port a node", nodes,
                   number(s, SETTING_MAX_PORTS));
    }
    const size_t name_len = strlen(settings_text(s, SETTING_NODE_ID));
    if (name_len + NODE_NUMBER_LEN_MAX >= NAME_SIZE) {
        report_add(
            &s->errors,
            "REPRAM_NODE_ID %s is too long under launch, which adds -1, -2, ...; allowed: %d "
            "characters",
            settings_text(s, SETTING_NODE_ID), NAME_SIZE - 1 - NODE_NUMBER_LEN_MAX);
    }
}

void settings_check(struct settings *s, const struct settings_host *host, bool is_launch)
{
    check_ports(s);
    check_ttls(s);
    check_providers(s);
    check_sizes(s);
    check_pages(s);
    check_acl(s);
    check_tls(s);
    check_keys(s);
    if (is_launch) {
        check_launch(s);
        check_descriptors(s, host);
    }
}
