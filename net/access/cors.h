/*
 * cors: which pages of other origins may read answers (REPRAM_CORS), as the lines that say so
 * (WHATWG Fetch, 3.2).
 *
 * `any`, `none`, or a list of origins. Rights are in a header that no browser sends by itself, so
 * that `any` gives nobody anything that he would not have without a browser.
 */
#ifndef NET_ACCESS_CORS_H
#define NET_ACCESS_CORS_H

#include "net/http/http.h"

enum { CORS_ORIGINS_MAX = 32, CORS_TEXT_MAX = 4096 };

#define CORS_TAKES \
    "any, none, or at most 32 origins as browsers send them, such as https://app.example.org"

struct cors;

/* RC_MALFORMED, RC_FULL beyond CORS_ORIGINS_MAX, RC_TOO_LONG. */
MUST_USE enum rc cors_check(const char *text);

/* Of a text that cors_check() has passed. NULL without memory. */
struct cors *cors_new(const char *text);
void cors_free(struct cors *c);

/* The lines for answers to this request, NULL for none. `c` NULL: any origin. Borrowed from `c`. */
const char *cors_lines(const struct cors *c, const struct http_request *rq);

/* The same for answers to what is no request. */
const char *cors_lines_blind(const struct cors *c);

/* Whether the lines let a page read the answer. */
bool cors_allows(const char *lines);

#endif
