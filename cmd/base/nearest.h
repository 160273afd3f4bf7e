/*
 * nearest: what somebody may have meant by a word that is none of those allowed.
 */
#ifndef CMD_BASE_NEAREST_H
#define CMD_BASE_NEAREST_H

#include <stddef.h>

enum { NEAREST_WORD_MAX = 64, NEAREST_TEXT_SIZE = NEAREST_WORD_MAX + 24 };

struct nearest {
    const char *word;
    size_t len;
    char best[NEAREST_WORD_MAX + 1]; /* "": none is near */
    unsigned distance;               /* of the best */
};

struct nearest nearest_begin(const char *word, size_t len);

/* One of the words that are allowed. Near is one that a slip or two lead to, a third of its letters
 * at most: a letter too many, one left out, another one, or two that changed places. */
void nearest_offer(struct nearest *n, const char *candidate, size_t len);

/* "; did you mean PREFIXbest?", or "" when none is near. Returns `ret_text`. */
const char *nearest_text(const struct nearest *n, const char *prefix,
                         char ret_text[static NEAREST_TEXT_SIZE]);

#endif
