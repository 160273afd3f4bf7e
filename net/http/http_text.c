#include "net/http/http_text.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct http_text http_text_trim(struct http_text text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

bool http_text_is(struct http_text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

bool http_text_is_token(struct http_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        const bool is_alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!is_alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return text.len > 0;
}

/* Cuts the first piece off a text of pieces, each without the blanks around it; false at the end.
 */
static bool next_piece(struct http_text *text, char separator, struct http_text *ret_piece)
{
    if (text->data == NULL) {
        return false;
    }
    const char *end = memchr(text->data, separator, text->len);
    const size_t len = end == NULL ? text->len : (size_t)(end - text->data);
    *ret_piece = http_text_trim((struct http_text){text->data, len});
    *text = end == NULL ? (struct http_text){.data = NULL}
                        : (struct http_text){end + 1, text->len - len - 1};
    return true;
}

bool http_text_lists(struct http_text list, const char *word)
{
    for (struct http_text piece; next_piece(&list, ',', &piece);) {
        if (http_text_is(piece, word)) {
            return true;
        }
    }
    return false;
}

/* "1", "0", and either with up to three digits behind a point; none of them above 1. */
static uint32_t read_weight(struct http_text text)
{
    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.len > 1 && text.data[1] != '.')) {
        return 0;
    }
    uint32_t weight = text.data[0] == '1' ? 1000 : 0;
    uint32_t unit = 100;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
        weight += (uint32_t)(text.data[i] - '0') * unit;
    }
    return weight <= 1000 ? weight : 0;
}

uint32_t http_text_weight(struct http_text list, const char *word)
{
    uint32_t most = 0;
    for (struct http_text element; next_piece(&list, ',', &element);) {
        struct http_text part;
        uint32_t weight = 1000;
        bool is_first = true;
        bool is_it = false;
        while (next_piece(&element, ';', &part)) {
            is_it = is_first ? http_text_is(part, word) : is_it;
            if (!is_first && part.len > 2 && strncasecmp(part.data, "q=", 2) == 0) {
                weight = read_weight((struct http_text){part.data + 2, part.len - 2});
            }
            is_first = false;
        }
        most = is_it && weight > most ? weight : most;
    }
    return most;
}
