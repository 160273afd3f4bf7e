/*
 * The text of an ACL, and questions to what it became: whatever is allowed is allowed by a line
 * that is there, and no two readings of one text differ.
 */
#include "core/base/assert.h"
#include "net/access/acl.h"
#include "net/access/cors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 16 * 1024, PREFIXES_SIZE = 64 };

static void ask(const struct acl *acl, uint32_t lines, uint32_t user)
{
    static const char *const keys[] = {"", "a", "app/", "app/x", "a/../b", "\xff"};
    char prefixes[PREFIXES_SIZE];
    for (unsigned bit = 0; bit < 7; bit++) {
        const enum acl_verb verb = (enum acl_verb)(1U << bit);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            const struct acl_ask q = {.verb = verb,
                                      .key = (const uint8_t *)keys[i],
                                      .key_len = strlen(keys[i]),
                                      .ttl_s = i * 600,
                                      .size = i * 100};
            const struct acl_verdict v = acl_judge(acl, user, &q);
            ASSERT(v.line <= lines && (v.why != ACL_ALLOWED || v.line > 0));
            ASSERT(v.why != ACL_ALLOWED || v.size_max >= q.size);
            ASSERT(v.why != ACL_SIZE || v.limit < q.size);
            ASSERT(v.why != ACL_TTL || v.limit < q.ttl_s);
        }
        ASSERT(strlen(acl_prefixes(acl, user, verb, prefixes, sizeof(prefixes))) <
               sizeof(prefixes));
    }
    ASSERT(acl_name(acl, user)[0] != '\0');
}

static void read_rules(const char *text, size_t len)
{
    struct acl_fault fault;
    uint32_t lines = 1;
    uint32_t user = 0;
    for (size_t i = 0; i < len; i++) {
        lines += text[i] == '\n';
    }
    struct acl *acl = acl_parse(text, len, &fault);
    ASSERT((acl == NULL) == (fault.text[0] != '\0'));
    ASSERT(fault.line <= lines);
    if (acl == NULL) {
        return;
    }
    ASSERT(acl_user_count(acl) <= ACL_USERS_MAX);
    ASSERT(acl_rule_count(acl) <= acl_user_count(acl) * ACL_RULES_MAX);
    for (uint32_t i = 0; i < acl_user_count(acl); i++) {
        ask(acl, lines, i);
    }
    ASSERT(acl_anybody(acl, &user) != RC_OK || strcmp(acl_name(acl, user), "*") == 0);
    acl_free(acl);
}

/* What passes as a list of origins makes lines that are whole, and no more than one origin's. */
static void read_origins(const char *text)
{
    if (cors_check(text) != RC_OK) {
        return;
    }
    struct cors *cors = cors_new(text);
    ASSERT(cors != NULL);
    const struct http_header header = {{"Origin", 6}, {text, strlen(text)}};
    const struct http_request rq = {.headers = &header, .header_count = 1};
    const char *lines = cors_lines(cors, &rq);
    if (lines != NULL) {
        const size_t len = strlen(lines);
        ASSERT(len > 2 && memcmp(lines + len - 2, "\r\n", 2) == 0);
        for (const char *at = lines; *at != '\0'; at = strstr(at, "\r\n") + 2) {
            ASSERT(memchr(at, ':', strcspn(at, "\r")) != NULL);
        }
    }
    cors_free(cors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_MAX) {
        return 0;
    }
    char *text = calloc(size + 1, 1);
    ASSERT(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    read_rules(text, size);
    read_origins(text);
    free(text);
    return 0;
}
