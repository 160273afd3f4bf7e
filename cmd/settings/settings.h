/*
 * settings: every setting of repram in one table, and where its effective value came from.
 *
 * The table gives the name, the aliases, the type with its bounds, the default and the meaning;
 * flags, `repram help settings`, --print-config and the test of docs/configuration.md are made from
 * it. A flag is the name in lower case with dashes and without REPRAM_. Precedence: flag,
 * environment, file, default. An empty value counts as not set.
 *
 * Loading judges each value alone. cmd/settings/settings_check judges pairs of them.
 */
#ifndef CMD_SETTINGS_SETTINGS_H
#define CMD_SETTINGS_SETTINGS_H

#include "cmd/base/report.h"
#include "cmd/settings/config_file.h"
#include "gossip/replication/quorum.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
    TYPE_PORT,
    TYPE_COUNT,
    TYPE_SECONDS, /* number: seconds */
    TYPE_TIMEOUT, /* number: milliseconds */
    TYPE_SIZE,    /* number: bytes */
    TYPE_SWITCH,  /* number: 0 or 1 */
    TYPE_NAME,
    TYPE_APP,
    TYPE_HOST,
    TYPE_BIND,
    TYPE_PROVIDERS, /* number: set of enum node_provider */
    TYPE_PEERS,
    TYPE_SERVERS,
    TYPE_TRUST,
    TYPE_URL,
    TYPE_ORIGINS,
    TYPE_LOG_LEVEL,  /* number: enum log_level */
    TYPE_LOG_FORMAT, /* number: enum log_format */
    TYPE_KEYRING,    /* net/crypto/key_text */
    TYPE_PATH,
    TYPE_FOLDER,
    TYPE_ANY,
};

enum setting_trait {
    TRAIT_CLIENT = 1,   /* the client commands look at it too */
    TRAIT_SHARED = 2,   /* nodes of one cluster should agree: part of the config digest */
    TRAIT_UNUSED = 4,   /* of REPRAM v1 or v2: accepted, without effect */
    TRAIT_PLATFORM = 8, /* put into the environment by Flux: no flag */
    TRAIT_SECRET = 16,  /* no flag, never shown; NAME_FILE names a file that holds it */
};

/* X(id, name, aliases, type, min, max, default, traits, meaning). A default in parentheses is made
 * at start. */
#define SETTINGS(X)                                                                                \
    X(DISCOVERY_DOMAIN, "DISCOVERY_DOMAIN", "", TYPE_HOST, 0, 0, "localhost", 0,                   \
      "host name; the node asks all its addresses for peers, on every port of the range")          \
    X(BASE_PORT, "BASE_PORT", "", TYPE_PORT, 1, 65535, "8081", TRAIT_CLIENT,                       \
      "first port of the range")                                                                   \
    X(MAX_PORTS, "MAX_PORTS", "", TYPE_COUNT, 1, 1000, "10", TRAIT_CLIENT, "ports in the range")   \
    X(NODE_COUNT, "NODE_COUNT", "", TYPE_COUNT, 1, 1000, "3", TRAIT_CLIENT,                        \
      "nodes that launch starts, at most MAX_PORTS")                                               \
    X(REPLICATION_FACTOR, "REPLICATION_FACTOR", "REPRAM_REPLICATION", TYPE_COUNT, 1,               \
      REPLICATION_FACTOR_MAX, "3", TRAIT_SHARED,                                                   \
      "sets the quorum, min(members of the enclave, factor)/2 + 1; every member gets every entry") \
    X(EXPECT_MEMBERS, "REPRAM_EXPECT_MEMBERS", "BOOTSTRAP_EXPECT", TYPE_COUNT, 0, 16384, "0", 0,   \
      "members of a new enclave that must have answered each other before it takes writes; more "  \
      "than half for 60 s do too; 0 = off")                                                        \
    X(NODE_ID, "REPRAM_NODE_ID", "NODE_ID", TYPE_NAME, 0, 0, "(generated)", 0,                     \
      "display name of the node; under launch flux-node, and each node gets -1, -2, ...")          \
    X(ADDRESS, "REPRAM_ADDRESS", "NODE_ADDRESS", TYPE_HOST, 0, 0, "(found)", 0,                    \
      "address given to members on other hosts; FLUX_NODE_HOST_IP where Flux sets it")             \
    X(BIND, "REPRAM_BIND", "", TYPE_BIND, 0, 0, "all", TRAIT_CLIENT, "address to listen on")       \
    X(HTTP_PORT, "REPRAM_HTTP_PORT", "REPRAM_PORT,HTTP_PORT", TYPE_PORT, 1, 65535, "",             \
      TRAIT_CLIENT, "fixed port instead of the range")                                             \
    X(DISCOVERY, "REPRAM_DISCOVERY", "", TYPE_PROVIDERS, 0, 0, "(port-range)", 0,                  \
      "where to look for peers: port-range, dns, srv, static, flux; by default flux too with "     \
      "FLUX_APP_NAME set, and static with REPRAM_PEERS")                                           \
    X(CLAIM_CHECK, "REPRAM_CLAIM_CHECK", "", TYPE_SWITCH, 0, 1, "(on)", 0,                         \
      "off: a port that binds is claimed without asking DISCOVERY_DOMAIN who answers there; off "  \
      "by default with the flux and the srv provider")                                             \
    X(FLUX_API, "REPRAM_FLUX_API", "", TYPE_URL, 0, 0, "https://api.runonflux.io", 0,              \
      "where the flux provider asks for the app's instances")                                      \
    X(PEERS, "REPRAM_PEERS", "REPRAM_BOOTSTRAP_PEERS,BOOTSTRAP_NODES", TYPE_PEERS, 0, 256, "", 0,  \
      "host:port,... asked by the static provider")                                                \
    X(DNS_SERVERS, "REPRAM_DNS_SERVERS", "", TYPE_SERVERS, 0, 8, "", 0,                            \
      "host[:port],... asked by discovery in place of the servers of resolv.conf")                 \
    X(NETWORK, "REPRAM_NETWORK", "", TYPE_NAME, 0, 0, "private", TRAIT_SHARED | TRAIT_CLIENT,      \
      "name of the cluster; nodes with another name are strangers")                                \
    X(ENCLAVE, "REPRAM_ENCLAVE", "", TYPE_NAME, 0, 0, "default", TRAIT_CLIENT,                     \
      "nodes of one enclave replicate to each other")                                              \
    X(DEFAULT_TTL, "REPRAM_DEFAULT_TTL", "", TYPE_SECONDS, 1, 2592000, "3600", TRAIT_SHARED,       \
      "lifetime of a write that names none")                                                       \
    X(MIN_TTL, "REPRAM_MIN_TTL", "", TYPE_SECONDS, 1, 2592000, "300", TRAIT_SHARED,                \
      "shorter lifetimes become this")                                                             \
    X(MAX_TTL, "REPRAM_MAX_TTL", "", TYPE_SECONDS, 1, 2592000, "86400", TRAIT_SHARED,              \
      "longer lifetimes become this; 30 days at most")                                             \
    X(MAX_VALUE_SIZE, "REPRAM_MAX_VALUE_SIZE", "", TYPE_SIZE, 1, 67108864, "10MiB", TRAIT_SHARED,  \
      "larger bodies get 413; 64 MiB at most")                                                     \
    X(MAX_STORAGE_MB, "REPRAM_MAX_STORAGE_MB", "", TYPE_COUNT, 0, 16777216, "0", 0,                \
      "MiB of keys, values and their bookkeeping; 0: half of the memory limit / NODE_COUNT")       \
    X(WRITE_TIMEOUT, "REPRAM_WRITE_TIMEOUT", "", TYPE_TIMEOUT, 10, 3600000, "5", 0,                \
      "seconds to wait for the quorum before 202")                                                 \
    X(DRAIN_GRACE, "REPRAM_DRAIN_GRACE", "", TYPE_TIMEOUT, 0, 60000, "1", 0,                       \
      "seconds in which a node told to stop goes on serving while /readyz is 503, for proxies to " \
      "turn to others")                                                                            \
    X(RATE_LIMIT, "REPRAM_RATE_LIMIT", "", TYPE_COUNT, 0, 1000000, "0", 0,                         \
      "requests per second per client address, 0 = off; burst is twice that")                      \
    X(MAX_CONNECTIONS, "REPRAM_MAX_CONNECTIONS", "", TYPE_COUNT, 1, 1000000, "(nofile - 256)", 0,  \
      "open connections; beyond: 503 and close")                                                   \
    X(MAX_CONNECTIONS_PER_IP, "REPRAM_MAX_CONNECTIONS_PER_IP", "", TYPE_COUNT, 0, 1000000, "0", 0, \
      "the same for one client address, 0 = off")                                                  \
    X(MAX_WATCHERS, "REPRAM_MAX_WATCHERS", "", TYPE_COUNT, 0, 1000000, "10000", 0,                 \
      "clients that watch keys at the same time; one more is told to come back")                   \
    X(IDLE_TIMEOUT, "REPRAM_IDLE_TIMEOUT", "", TYPE_TIMEOUT, 100, 86400000, "75", 0,               \
      "seconds that an idle keep-alive connection is kept")                                        \
    X(REQUEST_TIMEOUT, "REPRAM_REQUEST_TIMEOUT", "", TYPE_TIMEOUT, 100, 3600000, "15", 0,          \
      "seconds until a request's headers must be complete")                                        \
    X(TRUST_PROXY, "REPRAM_TRUST_PROXY", "", TYPE_TRUST, 0, 32, "false", 0,                        \
      "take the client address from X-Forwarded-For: true, or a list of networks to trust")        \
    X(CLUSTER_SECRET, "REPRAM_CLUSTER_SECRET", "", TYPE_KEYRING, 0, 0, "", TRAIT_SECRET,           \
      "keyring that seals all traffic between nodes; its file is read again on SIGHUP")            \
    X(TLS_CERT, "REPRAM_TLS_CERT", "", TYPE_PATH, 0, 0, "", 0,                                     \
      "file (PEM) of the certificate for HTTPS and those that lead to its authority; plain HTTP "  \
      "then serves probes alone; read again on SIGHUP and every 30 s")                             \
    X(TLS_KEY, "REPRAM_TLS_KEY", "", TYPE_PATH, 0, 0, "", 0,                                       \
      "file (PEM, no password) of the certificate's key")                                          \
    X(TLS_CA, "REPRAM_TLS_CA", "", TYPE_PATH, 0, 0, "", 0,                                         \
      "file (PEM) of authorities: a client without a certificate of one of them gets probes "      \
      "alone")                                                                                     \
    X(ACL_FILE, "REPRAM_ACL_FILE", "", TYPE_PATH, 0, 0, "", 0,                                     \
      "hashes of tokens and what each may do; read again on SIGHUP; not set: all may do "          \
      "everything")                                                                                \
    X(CORS, "REPRAM_CORS", "", TYPE_ORIGINS, 0, 0, "any", 0,                                       \
      "origins whose pages may read answers: any, none, or a list")                                \
    X(FADE, "REPRAM_FADE", "", TYPE_SWITCH, 0, 1, "on", 0,                                         \
      "off: the pages under /fade/ are not served")                                                \
    X(FADE_DIR, "REPRAM_FADE_DIR", "", TYPE_FOLDER, 0, 0, "", 0,                                   \
      "serve the pages from this folder while working on them, not those in the binary")           \
    X(LOG_LEVEL, "REPRAM_LOG_LEVEL", "", TYPE_LOG_LEVEL, 0, 0, "info", 0,                          \
      "debug, info, warn or error; read again on SIGHUP")                                          \
    X(LOG_FORMAT, "REPRAM_LOG_FORMAT", "", TYPE_LOG_FORMAT, 0, 0, "text", 0, "text or json")       \
    X(USE_AUTO_DISCOVERY, "USE_AUTO_DISCOVERY", "", TYPE_ANY, 0, 0, "", TRAIT_UNUSED,              \
      "setting of v1, accepted and unused: discovery is always on")                                \
    X(GOSSIP_PORT, "REPRAM_GOSSIP_PORT", "", TYPE_ANY, 0, 0, "", TRAIT_UNUSED,                     \
      "setting of v2, accepted and unused: a node has one port")                                   \
    X(NODE_PORT, "NODE_PORT", "", TYPE_ANY, 0, 0, "", TRAIT_UNUSED,                                \
      "setting of v1, accepted and unused: a node has one port")                                   \
    X(CLEANUP_INTERVAL, "REPRAM_CLEANUP_INTERVAL", "", TYPE_ANY, 0, 0, "", TRAIT_UNUSED,           \
      "setting of v1 and v2, accepted and unused: expiry is exact")                                \
    X(FLUX_APP_NAME, "FLUX_APP_NAME", "", TYPE_APP, 0, 0, "", TRAIT_PLATFORM,                      \
      "set by Flux: the app whose instances the flux provider asks for")                           \
    X(FLUX_NODE_HOST_IP, "FLUX_NODE_HOST_IP", "", TYPE_HOST, 0, 0, "", TRAIT_PLATFORM,             \
      "set by Flux: public address of this instance, the default of REPRAM_ADDRESS")

enum setting_id {
#define SETTING_ID(id, name, aliases, type, min, max, fallback, traits, meaning) SETTING_##id,
    SETTINGS(SETTING_ID)
#undef SETTING_ID
        SETTING_COUNT,
};

struct settings_def {
    const char *name;
    const char *aliases; /* comma list */
    enum setting_type type;
    uint32_t traits; /* enum setting_trait */
    uint64_t min, max;
    const char *fallback; /* the default as text */
    const char *meaning;
};

enum setting_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_FLAG };

enum {
    SETTING_NAME_SIZE = 40,
    SETTING_FROM_SIZE = 160,
    SETTINGS_ALLOWED_SIZE = 192, /* settings_allowed()'s longest */
};

struct setting {
    char *text; /* owned; "" when not set */
    enum setting_origin origin;
    char
        from[SETTING_FROM_SIZE]; /* "default", "environment", "repram.conf line 3", "--bind", ... */
    uint64_t number;             /* for the types that have one; 0 when not set */
};

struct settings_flag {
    enum setting_id id;
    const char *value; /* borrowed */
};

/* All that settings are made of. Borrowed during settings_load(). */
struct settings_sources {
    const struct settings_flag *flags; /* the last one of an id wins */
    size_t flag_count;
    char *const *environment; /* NAME=value, NULL at the end */
    const char *file_name;    /* NULL: no file */
    const struct config_file *file;
    const struct config_file *handed; /* secrets that the launcher gave; NULL: none */
    bool is_read_again;               /* secrets' files were read before: so no pipes */
    bool is_client; /* only settings with TRAIT_CLIENT, and no complaints about others */
};

struct settings {
    struct setting values[SETTING_COUNT];
    struct report errors;   /* a node must not start with any */
    struct report warnings; /* unknown names; errors with --strict */
    struct report remarks;  /* settings without effect */
};

const struct settings_def *settings_def(enum setting_id id);

/* The flag of a setting without its dashes; "" when it has none. Returns `ret_flag`. */
const char *settings_flag(enum setting_id id, char ret_flag[static SETTING_NAME_SIZE]);

/* What values are allowed, for people. Returns `ret_text`. */
const char *settings_allowed(enum setting_id id, char *ret_text, size_t size);

/* Fills every value. Errors go into the reports, and a setting with an error has its default. */
void settings_load(struct settings *s, const struct settings_sources *sources);

/* Wipes secrets and frees the texts. */
void settings_fini(struct settings *s);

/* Replaces a value by one that was worked out; `from` says how. For defaults made at start. */
void settings_set(struct settings *s, enum setting_id id, const char *text, uint64_t number,
                  const char *from);

bool settings_is_set(const struct settings *s, enum setting_id id);
uint64_t settings_number(const struct settings *s, enum setting_id id);
const char *settings_text(const struct settings *s, enum setting_id id);

/* Wipes the texts of secrets, which are not set from then on. */
void settings_wipe_secrets(struct settings *s);

/* The value as --print-config may show it: "(secret)" for a secret. */
const char *settings_shown(const struct settings *s, enum setting_id id);

#endif
