/*
 * choices: a fuzzer's input read as a row of decisions.
 *
 * Each decision takes a byte, and 0 always means the ordinary one. So an input that is cut short
 * says ordinary things from there on, and a changed byte changes one decision.
 */
#ifndef FUZZ_CHOICES_H
#define FUZZ_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct choices {
    const uint8_t *data;
    size_t size, pos;
};

static inline bool choices_are_over(const struct choices *c)
{
    return c->pos >= c->size;
}

/* 0 past the end. */
static inline uint8_t choose_byte(struct choices *c)
{
    return choices_are_over(c) ? 0 : c->data[c->pos++];
}

/* Below `count`, which is 1 to 256. */
static inline uint32_t choose(struct choices *c, uint32_t count)
{
    return choose_byte(c) % count;
}

/* One of `count` numbers. */
static inline uint64_t choose_of(struct choices *c, const uint64_t *numbers, uint32_t count)
{
    return numbers[choose(c, count)];
}

#endif
