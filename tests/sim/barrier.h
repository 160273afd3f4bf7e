/*
 * barrier: which ways of a simulated network are closed, to datagrams, to streams, or to both.
 *
 * Any of three layers closes a way: for everybody (a network without UDP), between the sides that
 * nodes stand on (partitions, one-way ones too), and for single pairs. Pairs are kept only while
 * they are closed, so a cluster of ten thousand costs nothing.
 */
#ifndef SIM_BARRIER_H
#define SIM_BARRIER_H

#include "core/base/slotindex.h"

#include <stdbool.h>
#include <stdint.h>

enum block { BLOCK_UDP = 1, BLOCK_TCP = 2, BLOCK_ALL = 3 };

enum { BARRIER_SIDES = 2 };

struct barrier_pair {
    uint32_t from, to;
    uint8_t what;
};

struct barrier {
    uint8_t *sides; /* by node */
    uint32_t count;
    uint8_t everywhere;                            /* set of enum block */
    uint8_t between[BARRIER_SIDES][BARRIER_SIDES]; /* by the sides of sender and receiver */
    struct barrier_pair *pairs;
    uint32_t pair_count, pair_size;
    uint64_t opened_us; /* since when all pairs are open that are listed; 0: they are closed */
    struct slotindex index;
};

void barrier_init(struct barrier *b, uint32_t count);
void barrier_fini(struct barrier *b);

/* The traffic that is blocked from one node to another: a set of enum block. */
uint8_t barrier_of(const struct barrier *b, uint32_t from, uint32_t to);

/* Closes a way, or with 0 opens it as far as this layer is concerned. */
void barrier_set_pair(struct barrier *b, uint32_t from, uint32_t to, uint8_t what);

/* Opens every single pair. Until the next one is closed, barrier_was_closed() knows of them. */
void barrier_open_pairs(struct barrier *b, uint64_t now_us);

/* Whether barrier_open_pairs() has opened the way at `since_us` or later. */
bool barrier_was_closed(const struct barrier *b, uint32_t from, uint32_t to, uint64_t since_us);

/* Opens everything and puts every node on side 0. */
void barrier_clear(struct barrier *b);

#endif
