/*
 * acl_state: what the parts of acl share, and nobody outside of it includes: users, rules, verbs.
 *
 *   acl_text   from the text to users and rules, or to what is wrong with it
 *   acl        who is who, and who may do what
 */
#ifndef NET_ACCESS_ACL_STATE_H
#define NET_ACCESS_ACL_STATE_H

#include "net/access/acl_verbs.h"
#include "net/access/tokens.h"

enum {
    ACL_NO_USER = UINT16_MAX,
    ACL_WITH_PREFIX = ACL_READ | ACL_WRITE | ACL_LIST | ACL_WATCH, /* what a prefix can bound */
    ACL_ALL = ACL_WITH_PREFIX | ACL_STATUS | ACL_METRICS | ACL_ADMIN,
};

struct acl_rule {
    uint32_t verbs;
    uint32_t line;
    uint32_t prefix_at; /* into acl->bytes */
    uint16_t prefix_len;
    uint64_t ttl_max_s; /* UINT64_MAX: any */
    uint64_t size_max;  /* likewise */
};

struct acl_user {
    char name[ACL_NAME_SIZE];
    uint64_t ends_ms; /* NEVER */
    uint32_t rule_first;
    uint16_t rule_count;
};

struct acl {
    struct tokens *tokens;
    struct acl_user *users;
    struct acl_rule *rules; /* a user's lie together */
    uint8_t *bytes;         /* of all prefixes */
    uint32_t user_count, rule_count, bytes_len;
    uint16_t anybody; /* index of `*`; ACL_NO_USER */
    uint64_t digest;  /* of the text */
};

/* The names of verbs. An entry without a name ends them. */
struct acl_verb_row {
    const char *name;
    uint32_t verbs;
};

extern const struct acl_verb_row acl_verbs[];

#endif
