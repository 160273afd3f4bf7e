/*
 * pages: the files under /fade/, the board and the picture of the cluster.
 *
 * They are part of the binary (fade/embed.cmake makes PAGE_DATA of fade/web), or are read from a
 * folder while somebody works on them. A page's name is one path segment of letters, digits, '.',
 * '_' and '-' that does not begin with '.', so no request leaves the folder; links are not
 * followed. `/fade/` is index.html, and a name without a dot means NAME.html.
 *
 * Every answer carries a policy under which a page can load and call nothing but its own origin.
 * Left out: subfolders, ranges, compression at run time.
 */
#ifndef NET_API_PAGES_H
#define NET_API_PAGES_H

#include "net/http/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PAGE_NAME_MAX = 64,
    /* Of a file in the folder: reading it is the one thing here that waits for a disk. */
    PAGE_FILE_BYTES_MAX = 1024 * 1024,
};

struct page_data {
    const char *name; /* NULL ends a table */
    const char *tag;  /* of the content, hex digits */
    const uint8_t *data;
    size_t len;
    const uint8_t *packed; /* gzip; NULL where it does not pay */
    size_t packed_len;
    const char *style; /* the style inside a page, by its hash, as a policy names it; NULL: none */
};

/* The files that were embedded at build time. */
extern const struct page_data PAGE_DATA[];

struct pages {
    const struct page_data *files; /* borrowed; NULL: no pages are served */
    const char *folder;            /* borrowed; "" or NULL: `files` are served, else this */
};

/* Whether there is a first page to send a browser to. */
bool pages_has_index(const struct pages *p);

/* Answers GET or HEAD of what stands behind "/fade/", or of /fade itself when `name` has no data:
 * 200, 304, 302 for /fade itself, 404 where there is no such page. */
void pages_answer(const struct pages *p, const struct http_request *rq, struct http_text name,
                  struct http_response *rs);

/* Sends a client to the first page, by an address that holds behind a proxy's prefix too. */
void pages_redirect(struct http_response *rs);

#endif
