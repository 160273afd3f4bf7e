#include "net/load/load_mix.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PERCENT = 100,
    KEY_DIGITS_MIN = 6,
    PIECES = 256, /* of the block a value may begin at so many places */
};

static uint32_t digits_of(uint64_t number)
{
    uint32_t count = 1;
    for (; number >= 10; number /= 10) {
        count++;
    }
    return count;
}

void load_mix_init(struct load_mix *m, const struct load_mix_config *config)
{
    ASSERT(config->key_count > 0 && config->reads_percent <= PERCENT);
    ASSERT(config->size_min <= config->size_max && config->size_max <= LOAD_MIX_SIZE_MAX);
    *m = (struct load_mix){.key_count = config->key_count,
                           .reads_percent = config->reads_percent,
                           .key_digits = digits_of(config->key_count - 1),
                           .size_min = config->size_min,
                           .size_max = config->size_max,
                           .prefix_len = strlen(config->prefix),
                           .lines = config->lines != NULL ? config->lines : ""};
    m->lines_len = strlen(m->lines);
    ASSERT(m->prefix_len < sizeof(m->prefix) && m->lines_len <= LOAD_MIX_LINES_MAX);
    memcpy(m->prefix, config->prefix, m->prefix_len);
    if (m->key_digits < KEY_DIGITS_MIN) {
        m->key_digits = KEY_DIGITS_MIN;
    }
    if (config->ttl_s > 0) {
        m->ttl_len = (size_t)snprintf(m->ttl, sizeof(m->ttl), "?ttl=%u", config->ttl_s);
    }
    rng_init(&m->rng, config->seed);
    m->block = mem_new(m->size_max + PIECES, 1);
    for (size_t i = 0; i < m->size_max + PIECES; i++) {
        m->block[i] = (uint8_t)rng_next(&m->rng);
    }
}

void load_mix_fini(struct load_mix *m)
{
    free(m->block);
    m->block = NULL;
}

struct load_ask load_mix_fill(struct load_mix *m, uint64_t key)
{
    const size_t more = m->size_max - m->size_min;
    const size_t extra = more > 0 ? (size_t)rng_below(&m->rng, more + 1) : 0;
    return (struct load_ask){.is_put = true, .key = key, .value_len = m->size_min + extra};
}

struct load_ask load_mix_next(struct load_mix *m)
{
    const uint64_t key = rng_below(&m->rng, m->key_count);
    if (rng_below(&m->rng, PERCENT) < m->reads_percent) {
        return (struct load_ask){.key = key};
    }
    return load_mix_fill(m, key);
}

/* ---- The bytes: by hand, because a formatted print would be most of a request's cost ---- */

static char *put_bytes(char *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

#define PUT_LITERAL(at, literal) put_bytes((at), (literal), sizeof(literal) - 1)

static char *put_number(char *at, uint64_t number, uint32_t digits)
{
    for (uint32_t i = digits; i > 0; i--) {
        at[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + digits;
}

size_t load_mix_head(const struct load_mix *m, const struct load_ask *ask, const char *host,
                     size_t host_len, char *ret_head)
{
    ASSERT(host_len <= LOAD_MIX_HOST_MAX);
    char *at = ask->is_put ? PUT_LITERAL(ret_head, "PUT /v1/data/")
                           : PUT_LITERAL(ret_head, "GET /v1/data/");
    at = put_bytes(at, m->prefix, m->prefix_len);
    at = put_number(at, ask->key, m->key_digits);
    if (ask->is_put) {
        at = put_bytes(at, m->ttl, m->ttl_len);
    }
    at = PUT_LITERAL(at, " HTTP/1.1\r\nHost: ");
    at = put_bytes(at, host, host_len);
    if (ask->is_put) {
        at = PUT_LITERAL(at, "\r\nContent-Length: ");
        at = put_number(at, ask->value_len, digits_of(ask->value_len));
    }
    at = PUT_LITERAL(at, "\r\n");
    at = put_bytes(at, m->lines, m->lines_len);
    at = PUT_LITERAL(at, "\r\n");
    return (size_t)(at - ret_head);
}

const uint8_t *load_mix_value(const struct load_mix *m, const struct load_ask *ask)
{
    return m->block + ask->key % PIECES;
}
