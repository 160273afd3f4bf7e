/*
 * acl_verbs: what rules can allow, and how much of it there may be.
 */
#ifndef NET_ACCESS_ACL_VERBS_H
#define NET_ACCESS_ACL_VERBS_H

enum {
    ACL_USERS_MAX = 1000,
    ACL_RULES_MAX = 16, /* of a user */
    ACL_TEXT_MAX = 4 * 1024 * 1024,
    ACL_NAME_SIZE = 64 + 1,
    ACL_FAULT_SIZE = 160,
    ACL_DESCRIBED_SIZE = 48,
};

enum acl_verb {
    ACL_READ = 1,
    ACL_WRITE = 2,
    ACL_LIST = 4,
    ACL_WATCH = 8,
    ACL_STATUS = 16,
    ACL_METRICS = 32,
    ACL_ADMIN = 64,
};

#endif
