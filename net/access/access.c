#include "net/access/access.h"

#include "core/base/units.h"
#include "net/access/audit.h"
#include "net/http/rate_limit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_MAX = 1024, PATH_SHOWN = 128 };

struct access {
    struct access_config config;
    struct acl *acl;
    struct digest *digest;
    struct rate_limit *wrong; /* tokens, by address */
    struct audit audit;
    struct access_stats stats;
    uint64_t looked_ms, ends_ms; /* when a token's end was last looked for; the next one's */
    uint32_t serial;
};

static uint64_t clock_ms(const struct access *a)
{
    return a->config.clock_ms(a->config.arg);
}

static void take(struct access *a, struct acl *acl)
{
    a->acl = acl;
    a->serial++;
    a->stats.users = acl_user_count(acl);
    a->stats.rules = acl_rule_count(acl);
    a->stats.digest = acl_digest(acl);
    a->looked_ms = clock_ms(a);
    a->ends_ms = acl_next_end_ms(acl, a->looked_ms);
}

struct access *access_new(const struct access_config *config, struct acl *acl)
{
    struct access *a = calloc(1, sizeof(*a));
    if (a == NULL) {
        return NULL;
    }
    a->config = *config;
    a->audit.hooks = config->hooks;
    a->digest = digest_new();
    a->wrong = rate_limit_new(ACCESS_WRONG_PER_S, config->seed);
    if (a->digest == NULL || a->wrong == NULL) {
        access_free(a);
        return NULL;
    }
    take(a, acl);
    return a;
}

void access_free(struct access *a)
{
    if (a != NULL) {
        acl_free(a->acl);
        digest_free(a->digest);
        rate_limit_free(a->wrong);
        free(a);
    }
}

void access_reload(struct access *a, struct acl *acl)
{
    const struct node_hooks *hooks = a->config.hooks;
    char now[ACL_DESCRIBED_SIZE], before[ACL_DESCRIBED_SIZE];
    if (acl == NULL) {
        a->stats.reloads_failed_total++;
        hooks->log(hooks->arg, LOG_ERROR, "acl",
                   "the rules are as they were: %s, digest %016" PRIx64, acl_describe(a->acl, now),
                   acl_digest(a->acl));
        return;
    }
    (void)acl_describe(a->acl, before);
    acl_free(a->acl);
    take(a, acl);
    a->stats.reloads_total++;
    hooks->log(hooks->arg, LOG_INFO, "acl",
               "the rules are read anew: %s, digest %016" PRIx64 "; were %s",
               acl_describe(acl, now), acl_digest(acl), before);
}

uint32_t access_serial(const struct access *a)
{
    return a->serial;
}

/* ---- Who ---- */

/* What stands behind "Bearer" in the only header of that name; false for anything else. */
static bool find_token(const struct http_request *rq, struct http_text *ret_token)
{
    static const char scheme[] = "Bearer";
    enum { SCHEME = sizeof(scheme) - 1 };
    const struct http_text value = http_find(rq, "Authorization")->value;
    if (http_count(rq, "Authorization") != 1 || value.len <= SCHEME + 1 ||
        value.data[SCHEME] != ' ' ||
        !http_text_is((struct http_text){value.data, SCHEME}, scheme)) {
        return false;
    }
    *ret_token = http_text_trim((struct http_text){value.data + SCHEME, value.len - SCHEME});
    return ret_token->len > 0 && ret_token->len <= TOKEN_MAX;
}

enum rc access_identify(struct access *a, const struct http_request *rq, uint64_t mono_ms,
                        struct access_who *ret_who)
{
    struct http_text token = {.len = 0};
    *ret_who = (struct access_who){.user = ACCESS_NOBODY};
    if (http_find(rq, "Authorization") == NULL) {
        uint32_t user = 0;
        const bool is_anybody = !rq->needs_token && acl_anybody(a->acl, &user) == RC_OK;
        ret_who->user = is_anybody ? user : ACCESS_NOBODY;
        return RC_OK;
    }
    ret_who->has_token = true;
    if (find_token(rq, &token) && digest_sha256(a->digest, token.data, token.len, ret_who->hash) &&
        acl_find(a->acl, ret_who->hash, clock_ms(a), &ret_who->user) == RC_OK) {
        return RC_OK;
    }
    const struct addr net = addr_net(&rq->client);
    return rate_limit_take(a->wrong, &net, mono_ms) ? RC_REFUSED : RC_OVERLOADED;
}

enum rc access_recall(const struct access *a, const uint8_t hash[DIGEST_SIZE], uint32_t *ret_user)
{
    static const uint8_t none[DIGEST_SIZE] = {0};
    const enum rc rc = digest_is_equal(hash, none) ? acl_anybody(a->acl, ret_user)
                                                   : acl_find(a->acl, hash, clock_ms(a), ret_user);
    return rc == RC_OK ? RC_OK : RC_REFUSED;
}

/* ---- What ---- */

struct acl_verdict access_judge(const struct access *a, uint32_t user, const struct acl_ask *ask)
{
    return user == ACCESS_NOBODY ? (struct acl_verdict){.why = ACL_NO_VERB}
                                 : acl_judge(a->acl, user, ask);
}

const char *access_prefixes(const struct access *a, uint32_t user, enum acl_verb verb,
                            char ret_text[static ACCESS_PREFIXES_SIZE])
{
    ret_text[0] = '\0';
    return user == ACCESS_NOBODY ? ret_text
                                 : acl_prefixes(a->acl, user, verb, ret_text, ACCESS_PREFIXES_SIZE);
}

void access_refused(struct access *a, const struct http_request *rq, enum access_refusal refusal,
                    uint32_t user, const char *what)
{
    static const char *const who[ACCESS_REFUSALS] = {
        [ACCESS_NO_TOKEN] = "no token",
        [ACCESS_BAD_TOKEN] = "a token that is not good",
        [ACCESS_LATER] = "too many tokens that are not good",
    };
    char ip[ADDR_TEXT_SIZE];
    const size_t shown = rq->path.len < PATH_SHOWN ? rq->path.len : PATH_SHOWN;
    const char *name = refusal == ACCESS_FORBIDDEN ? acl_name(a->acl, user) : who[refusal];
    a->stats.refused_total[refusal]++;
    audit_refused(&a->audit, clock_ms(a), "%s%s from %s: %s %.*s",
                  refusal == ACCESS_FORBIDDEN ? "user " : "", name, addr_format_ip(&rq->client, ip),
                  what, (int)shown, rq->path.data);
}

/* ---- Time ---- */

bool access_tick(struct access *a)
{
    const uint64_t now_ms = clock_ms(a);
    audit_tick(&a->audit, now_ms);
    /* A clock that was set back looks anew. */
    const bool has_ended = now_ms >= a->ends_ms;
    if (has_ended || now_ms < a->looked_ms) {
        a->ends_ms = acl_next_end_ms(a->acl, now_ms);
    }
    a->looked_ms = now_ms;
    return has_ended;
}

struct access_stats access_stats(const struct access *a)
{
    return a->stats;
}
