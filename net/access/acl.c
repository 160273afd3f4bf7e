#include "net/access/acl.h"

#include "core/base/assert.h"
#include "core/base/units.h"
#include "net/access/acl_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct acl_verb_row acl_verbs[] = {
    {"read", ACL_READ},   {"write", ACL_WRITE},   {"list", ACL_LIST},
    {"watch", ACL_WATCH}, {"status", ACL_STATUS}, {"metrics", ACL_METRICS},
    {"admin", ACL_ADMIN}, {"all", ACL_ALL},       {NULL, 0},
};

void acl_free(struct acl *acl)
{
    if (acl != NULL) {
        tokens_free(acl->tokens);
        free(acl->users);
        free(acl->rules);
        free(acl->bytes);
        free(acl);
    }
}

/* ---- Questions ---- */

uint32_t acl_user_count(const struct acl *acl)
{
    return acl->user_count;
}

uint32_t acl_rule_count(const struct acl *acl)
{
    return acl->rule_count;
}

uint64_t acl_digest(const struct acl *acl)
{
    return acl->digest;
}

const char *acl_describe(const struct acl *acl, char ret_text[static ACL_DESCRIBED_SIZE])
{
    (void)snprintf(ret_text, ACL_DESCRIBED_SIZE, "%u user%s, %u line%s", acl->user_count,
                   acl->user_count == 1 ? "" : "s", acl->rule_count,
                   acl->rule_count == 1 ? "" : "s");
    return ret_text;
}

enum rc acl_anybody(const struct acl *acl, uint32_t *ret_user)
{
    if (acl->anybody == ACL_NO_USER) {
        return RC_NOT_FOUND;
    }
    *ret_user = acl->anybody;
    return RC_OK;
}

enum rc acl_find(const struct acl *acl, const uint8_t hash[DIGEST_SIZE], uint64_t now_ms,
                 uint32_t *ret_user)
{
    uint32_t user = 0;
    if (tokens_find(acl->tokens, hash, &user) != RC_OK) {
        return RC_NOT_FOUND;
    }
    if (acl->users[user].ends_ms <= now_ms) {
        return RC_EXPIRED;
    }
    *ret_user = user;
    return RC_OK;
}

uint64_t acl_next_end_ms(const struct acl *acl, uint64_t after_ms)
{
    uint64_t next_ms = NEVER;
    for (uint32_t i = 0; i < acl->user_count; i++) {
        if (acl->users[i].ends_ms > after_ms) {
            next_ms = min_u64(next_ms, acl->users[i].ends_ms);
        }
    }
    return next_ms;
}

const char *acl_name(const struct acl *acl, uint32_t user)
{
    ASSERT(user < acl->user_count);
    return acl->users[user].name;
}

/* How far this line is from allowing it: how many of its parts let it through. */
static enum acl_why judge_rule(const struct acl *acl, const struct acl_rule *rule,
                               const struct acl_ask *ask)
{
    if ((rule->verbs & ask->verb) == 0) {
        return ACL_NO_VERB;
    }
    if (rule->prefix_len > ask->key_len ||
        (rule->prefix_len > 0 &&
         memcmp(acl->bytes + rule->prefix_at, ask->key, rule->prefix_len) != 0)) {
        return ACL_NO_PREFIX;
    }
    if (ask->ttl_s > rule->ttl_max_s) {
        return ACL_TTL;
    }
    return ask->size > rule->size_max ? ACL_SIZE : ACL_ALLOWED;
}

struct acl_verdict acl_judge(const struct acl *acl, uint32_t user, const struct acl_ask *ask)
{
    ASSERT(user < acl->user_count);
    const struct acl_user *u = &acl->users[user];
    const struct acl_rule *rules = acl->rules + u->rule_first;
    struct acl_verdict v = {.why = ACL_NO_VERB};
    for (uint32_t i = 0; i < u->rule_count; i++) {
        const struct acl_rule *rule = &rules[i];
        const enum acl_why why = judge_rule(acl, rule, ask);
        if (why == ACL_ALLOWED || why == ACL_SIZE) {
            v.size_max = v.size_max > rule->size_max ? v.size_max : rule->size_max;
        }
        /* Of what stands in the way the last thing is told, and of that the widest bound. */
        const uint64_t limit = why == ACL_TTL    ? rule->ttl_max_s
                               : why == ACL_SIZE ? rule->size_max
                                                 : 0;
        if (v.why != ACL_ALLOWED &&
            (why == ACL_ALLOWED || why > v.why || (why == v.why && limit > v.limit))) {
            v.why = why;
            v.line = why == ACL_NO_VERB || why == ACL_NO_PREFIX ? 0 : rule->line;
            v.limit = limit;
        }
    }
    return v;
}

/* ---- For people ---- */

const char *acl_verb_name(enum acl_verb verb)
{
    for (const struct acl_verb_row *row = acl_verbs; row->name != NULL; row++) {
        if (row->verbs == (uint32_t)verb) {
            return row->name;
        }
    }
    return "nothing";
}

/* A byte of a prefix as the file has it; at most three characters. */
static size_t show_byte(uint8_t byte, char *ret_text)
{
    static const char hex[] = "0123456789ABCDEF";
    if (byte > ' ' && byte < 0x7f && strchr("%#<=\"\\", byte) == NULL) {
        ret_text[0] = (char)byte;
        return 1;
    }
    ret_text[0] = '%';
    ret_text[1] = hex[byte >> 4];
    ret_text[2] = hex[byte & 15];
    return 3;
}

const char *acl_prefixes(const struct acl *acl, uint32_t user, enum acl_verb verb, char *ret_text,
                         size_t size)
{
    static const char cut[] = ", ...";
    enum { KEPT = sizeof(cut) + 3 }; /* room for the longest byte too */
    const struct acl_user *u = &acl->users[user];
    size_t len = 0;
    ASSERT(size >= 2 * (size_t)KEPT);
    for (uint32_t i = 0; i < u->rule_count; i++) {
        const struct acl_rule *rule = &acl->rules[u->rule_first + i];
        if ((rule->verbs & verb) == 0) {
            continue;
        }
        if (len + 2 > size - KEPT) {
            memcpy(ret_text + len, cut, sizeof(cut));
            return ret_text;
        }
        if (len > 0) {
            memcpy(ret_text + len, cut, 2);
            len += 2;
        }
        for (size_t at = 0; at < rule->prefix_len; at++) {
            if (len > size - KEPT) {
                memcpy(ret_text + len, cut + 2, sizeof(cut) - 2);
                return ret_text;
            }
            len += show_byte(acl->bytes[rule->prefix_at + at], ret_text + len);
        }
    }
    ret_text[len] = '\0';
    return ret_text;
}
