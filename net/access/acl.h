/*
 * acl: who may do what, read from the text of REPRAM_ACL_FILE, and the answer to one such question.
 *
 *   # comments
 *   user alice sha256:HEX [sha256:HEX] [expires=2027-01-31T00:00:00Z]
 *   allow read,list app/
 *   allow write app/ ttl<=1h size<=64KiB
 *   user *
 *   allow status
 *
 * A user is known by the hash of the whole text of a token; `*` is who brings none. The lines below
 * a user allow, and nothing else does: their order is nothing. In prefixes `%`, `#`, `<`, `=` and
 * blanks are percent-encoded, and any byte may be. `all` is every verb; with a prefix it is those
 * that a prefix can bound. Prefixes are compared byte by byte with keys as they are stored.
 *
 * Made whole from a text, or not at all; never changed after that. No clock here: whether a token
 * is over is asked with a time.
 */
#ifndef NET_ACCESS_ACL_H
#define NET_ACCESS_ACL_H

#include "core/base/rc.h"
#include "net/access/acl_verbs.h"
#include "net/crypto/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acl;

/* What is wrong with a text. Never says what stands where a hash should: it could be a token. */
struct acl_fault {
    uint32_t line; /* from 1; 0: no line in particular */
    char text[ACL_FAULT_SIZE];
};

/* Of at most ACL_TEXT_MAX bytes. NULL with *ret_fault filled. */
struct acl *acl_parse(const char *text, size_t len, struct acl_fault *ret_fault);
void acl_free(struct acl *acl);

uint32_t acl_user_count(const struct acl *acl);
uint32_t acl_rule_count(const struct acl *acl);

/* The first 8 bytes of the SHA-256 of its text, by which nodes can be compared. */
uint64_t acl_digest(const struct acl *acl);

/* "2 users, 7 lines". Returns `ret_text`. */
const char *acl_describe(const struct acl *acl, char ret_text[static ACL_DESCRIBED_SIZE]);

/* Who brings no token. RC_NOT_FOUND: the file has no `user *`. */
MUST_USE enum rc acl_anybody(const struct acl *acl, uint32_t *ret_user);

/* Whose token has this hash. RC_NOT_FOUND; RC_EXPIRED when it is over at `now_ms` since the
 * epoch. */
MUST_USE enum rc acl_find(const struct acl *acl, const uint8_t hash[DIGEST_SIZE], uint64_t now_ms,
                          uint32_t *ret_user);

/* When the first of the tokens ends that do later than `after_ms`; NEVER. */
uint64_t acl_next_end_ms(const struct acl *acl, uint64_t after_ms);

/* Borrowed. */
const char *acl_name(const struct acl *acl, uint32_t user);

/* One question: one verb, on one key or on all keys with a prefix; without a key for verbs that
 * have none. The last two are for writes. */
struct acl_ask {
    enum acl_verb verb;
    const uint8_t *key;
    size_t key_len;
    uint64_t ttl_s;
    uint64_t size; /* 0 while it is not known: then size_max of the verdict bounds it */
};

enum acl_why {
    ACL_ALLOWED,
    ACL_NO_VERB,   /* no line has it */
    ACL_NO_PREFIX, /* some do, on other keys */
    ACL_TTL,       /* some do, for shorter lives */
    ACL_SIZE,      /* some do, for smaller values */
};

struct acl_verdict {
    enum acl_why why;
    uint32_t line;     /* that allows it, or whose bound is `limit`; 0: none */
    uint64_t limit;    /* with ACL_TTL the longest life in seconds, with ACL_SIZE as size_max */
    uint64_t size_max; /* the largest value that the lines which fit allow; UINT64_MAX: any */
};

struct acl_verdict acl_judge(const struct acl *acl, uint32_t user, const struct acl_ask *ask);

/* The prefixes with which a user has the verb, as the file would have them, with ", " between them;
 * cut with "..." where they do not fit. `size` at least 20. Returns `ret_text`. */
const char *acl_prefixes(const struct acl *acl, uint32_t user, enum acl_verb verb, char *ret_text,
                         size_t size);

/* "read"; of one bit. */
const char *acl_verb_name(enum acl_verb verb);

#endif
