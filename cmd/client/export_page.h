/*
 * export_page: the keys of a node page by page, in byte order, for `repram export`.
 *
 * One page is used while the next one is on its way.
 */
#ifndef CMD_CLIENT_EXPORT_PAGE_H
#define CMD_CLIENT_EXPORT_PAGE_H

#include "cmd/client/transfer.h"
#include "core/store/record.h"

#include <cjson/cJSON.h>

struct export_key {
    const char *bytes;
    size_t len; /* 1 to KEY_BYTES_MAX */
    bool is_text;
};

struct export_page {
    const char *prefix;          /* borrowed; NULL: every key */
    struct transfer_reply reply; /* the next page */
    bool is_asked;               /* and there is one */
    cJSON *root;                 /* owned; its strings are the keys that are text */
    char *bytes;                 /* owned: the other keys */
    struct export_key *keys;     /* owned, in byte order */
    size_t key_count;
    size_t next; /* of them, to be used */
    char cursor[CLIENT_TARGET_MAX / 2];
};

void export_page_init(struct export_page *p, const char *prefix);
void export_page_fini(struct export_page *p);

/* The listing begins behind this key; a key_len of 0: with the first one. */
void export_page_start(struct export_page *p, const uint8_t *key, size_t len);

/* Asks for the first page. RC_TOO_LONG (the prefix), RC_REFUSED; it was said. */
MUST_USE enum rc export_page_ask(struct export_page *p, struct transfer *t);

/* The page that has come becomes the current one, and the next one is asked for. RC_REFUSED,
 * RC_MALFORMED; it was said. */
MUST_USE enum rc export_page_take(struct export_page *p, struct transfer *t);

#endif
