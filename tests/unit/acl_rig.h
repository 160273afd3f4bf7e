/*
 * acl_rig: rules from a text in which tokens stand as they are: "token:WORD" becomes the hash of
 * WORD.
 */
#ifndef TESTS_UNIT_ACL_RIG_H
#define TESTS_UNIT_ACL_RIG_H

#include "core/base/mem.h"
#include "net/access/acl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void acl_rig_hash(const char *token, size_t len, uint8_t ret_hash[DIGEST_SIZE])
{
    struct digest *d = digest_new();
    assert_non_null(d);
    assert_true(digest_sha256(d, token, len, ret_hash));
    digest_free(d);
}

/* The caller frees it. */
static inline char *acl_rig_text(const char *text)
{
    static const char mark[] = "token:";
    const size_t room = strlen(text) * 16 + 1;
    char *made = mem_new(room, 1);
    size_t len = 0;
    for (const char *at = text; *at != '\0';) {
        if (strncmp(at, mark, sizeof(mark) - 1) != 0) {
            made[len++] = *at++;
            continue;
        }
        at += sizeof(mark) - 1;
        const size_t word = strcspn(at, " \n");
        uint8_t hash[DIGEST_SIZE];
        acl_rig_hash(at, word, hash);
        len += (size_t)snprintf(made + len, room - len, "sha256:");
        for (size_t i = 0; i < sizeof(hash); i++) {
            len += (size_t)snprintf(made + len, room - len, "%02x", hash[i]);
        }
        at += word;
    }
    made[len] = '\0';
    return made;
}

/* NULL where the text is no good; *ret_fault says why. */
static inline struct acl *acl_rig_parse(const char *text, struct acl_fault *ret_fault)
{
    char *made = acl_rig_text(text);
    struct acl *acl = acl_parse(made, strlen(made), ret_fault);
    free(made);
    return acl;
}

static inline struct acl *acl_rig(const char *text)
{
    struct acl_fault fault;
    struct acl *acl = acl_rig_parse(text, &fault);
    assert_string_equal(fault.text, "");
    assert_non_null(acl);
    return acl;
}

#endif
