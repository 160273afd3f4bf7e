/*
 * access: what a node holds of REPRAM_ACL_FILE while it runs: the rules in force, who a request is
 * by, how often somebody was wrong, and the log lines of it.
 *
 * A token comes as `Authorization: Bearer` (RFC 6750 section 2.1) and in no other way. A good one
 * is never slowed; who brings wrong ones has a budget for each address, then he hears nothing but
 * "later". Which right a path takes is net/api/api_admit's business.
 *
 * Users are numbers that hold while the rules do: access_serial() changes with them.
 */
#ifndef NET_ACCESS_ACCESS_H
#define NET_ACCESS_ACCESS_H

#include "net/access/acl.h"
#include "net/discovery/node_config.h"
#include "net/http/http.h"

enum {
    ACCESS_WRONG_PER_S = 10, /* tokens of an address; twice that at once */
    ACCESS_TICK_MS = 250,    /* how often access_tick() is to be called */
    ACCESS_PREFIXES_SIZE = 320,
};

/* Nobody in particular, and the file has no `user *`. */
static const uint32_t ACCESS_NOBODY = UINT32_MAX;

struct access;

struct access_config {
    const struct node_hooks *hooks; /* borrowed */
    uint64_t seed;                  /* should not be known to clients */
    void *arg;
    uint64_t (*clock_ms)(void *arg); /* since the epoch, as the cluster has it */
};

/* Why a request got nothing. */
enum access_refusal {
    ACCESS_NO_TOKEN,  /* and everybody may not */
    ACCESS_BAD_TOKEN, /* unknown, or over */
    ACCESS_LATER,     /* the same, and too often */
    ACCESS_FORBIDDEN, /* the user is known and may not */
    ACCESS_REFUSALS,
};

struct access_stats {
    uint64_t refused_total[ACCESS_REFUSALS];
    uint64_t reloads_total, reloads_failed_total;
    uint64_t users, rules;
    uint64_t digest; /* of the file that they were read from */
};

struct access_who {
    uint32_t user; /* or ACCESS_NOBODY */
    bool has_token;
    uint8_t hash[DIGEST_SIZE]; /* of the token; zero without one */
};

/* Takes the rules. NULL without memory; they are then the caller's still. */
struct access *access_new(const struct access_config *config, struct acl *acl);
void access_free(struct access *a);

/* New rules, which it takes; NULL: those that were to come are no good, and the old ones stay. */
void access_reload(struct access *a, struct acl *acl);

uint32_t access_serial(const struct access *a);

/* Who asks; nobody where the request needs a token and has none, whatever `user *` may. RC_OK;
 * RC_REFUSED: the token is wrong; RC_OVERLOADED: so, and too often from this address. */
MUST_USE enum rc access_identify(struct access *a, const struct http_request *rq, uint64_t mono_ms,
                                 struct access_who *ret_who);

/* The same by the hash that was kept; all zero: no token. RC_REFUSED. */
MUST_USE enum rc access_recall(const struct access *a, const uint8_t hash[DIGEST_SIZE],
                               uint32_t *ret_user);

/* acl_judge() for a user of access_identify(). */
struct acl_verdict access_judge(const struct access *a, uint32_t user, const struct acl_ask *ask);

const char *access_prefixes(const struct access *a, uint32_t user, enum acl_verb verb,
                            char ret_text[static ACCESS_PREFIXES_SIZE]);

/* Counts a refusal, and logs it. `what` is what he wanted to do, a word. */
void access_refused(struct access *a, const struct http_request *rq, enum access_refusal refusal,
                    uint32_t user, const char *what);

/* To be called every ACCESS_TICK_MS. True when a token has ended since the last time. */
bool access_tick(struct access *a);

struct access_stats access_stats(const struct access *a);

#endif
