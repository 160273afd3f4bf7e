/*
 * http_text: a piece of a message's text, and the questions that every reader of headers has. They
 * are about words without regard to case, blanks, and lists (RFC 9110 section 5.6).
 */
#ifndef NET_HTTP_HTTP_TEXT_H
#define NET_HTTP_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_text {
    const char *data; /* not terminated */
    size_t len;
};

/* Without the spaces and tabs around it. */
struct http_text http_text_trim(struct http_text text);

/* Whether it is that word, case ignored. */
bool http_text_is(struct http_text text, const char *word);

/* Whether it is a token: not empty, and no byte but a token's (section 5.6.2). */
bool http_text_is_token(struct http_text text);

/* Whether one element of the comma-separated list is that word, case ignored. */
bool http_text_lists(struct http_text list, const char *word);

/* How much a list of preferences such as Accept's wants that word: its weight in thousandths, case
 * ignored, 1000 without one; 0 when it is not in the list, or its weight is none (section 12.4.2).
 * Other parameters are the word's sender's and are passed over. */
uint32_t http_text_weight(struct http_text list, const char *word);

#endif
