#include "cmd/base/nearest.h"

#include <stdbool.h>
#include <stdio.h>

enum { SLIPS_MAX = 2, LETTERS_PER_SLIP = 3 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Slips between two words, each of which is at most NEAREST_WORD_MAX long: the optimal string
 * alignment of Damerau and Levenshtein. Case is none. */
static unsigned slips(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][NEAREST_WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            const bool is_same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = least(before[j - 1] + (is_same ? 0 : 1), least(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1])) {
                row[j] = least(row[j], two_before[j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

struct nearest nearest_begin(const char *word, size_t len)
{
    return (struct nearest){.word = word, .len = len, .distance = SLIPS_MAX + 1};
}

void nearest_offer(struct nearest *n, const char *candidate, size_t len)
{
    if (n->len > NEAREST_WORD_MAX || len > NEAREST_WORD_MAX) {
        return;
    }
    const unsigned distance = slips(n->word, n->len, candidate, len);
    if (distance < n->distance && (size_t)distance * LETTERS_PER_SLIP <= len) {
        (void)snprintf(n->best, sizeof(n->best), "%.*s", (int)len, candidate);
        n->distance = distance;
    }
}

const char *nearest_text(const struct nearest *n, const char *prefix,
                         char ret_text[static NEAREST_TEXT_SIZE])
{
    ret_text[0] = '\0';
    if (n->best[0] != '\0') {
        (void)snprintf(ret_text, NEAREST_TEXT_SIZE, "; did you mean %s%s?", prefix, n->best);
    }
    return ret_text;
}
