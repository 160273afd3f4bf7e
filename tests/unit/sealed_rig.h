/*
 * sealed_rig: clusters of swim_cluster.h that are sealed, and recordings of what they send.
 */
#ifndef TESTS_SEALED_RIG_H
#define TESTS_SEALED_RIG_H

#include "net/crypto/seal_openssl.h"
#include "swim_cluster.h"

enum {
    FLAGS_AT = 1, /* in a header */
    KEY_AT = 2,
    FLAG_LONG = 1,
    FLAG_INTRO = 4,
};

static struct seal_openssl *sealed_openssl;

static inline int sealed_set_up(void **state)
{
    (void)state;
    sealed_openssl = seal_openssl_new();
    return sealed_openssl != NULL ? 0 : -1;
}

static inline int sealed_tear_down(void **state)
{
    (void)state;
    seal_openssl_free(sealed_openssl);
    return 0;
}

/* `count` nodes with that ring, which do not know each other yet. */
static inline struct cluster *sealed_new(uint64_t seed, uint32_t count, const char *ring)
{
    struct cluster *c = cluster_new(seed);
    c->seal = seal_openssl_ops(sealed_openssl);
    c->ring = ring;
    for (uint32_t i = 0; i < count; i++) {
        (void)cluster_start(c);
    }
    return c;
}

static inline struct cluster *sealed_formed(uint64_t seed, uint32_t count, const char *ring)
{
    struct cluster *c = sealed_new(seed, count, ring);
    hint_all(c);
    (void)wait_full(c, 5000);
    return c;
}

static inline uint64_t refused(const struct cluster *c, uint32_t at, enum sealing_refusal why)
{
    return swim_sealing(c->nodes[at].swim)->refused[why];
}

static inline bool is_intro(const struct flight *f)
{
    return (f->data[FLAGS_AT] & FLAG_INTRO) != 0;
}

/* An address of nobody's. */
static const uint8_t elsewhere[4] = {10, 9, 9, 9};

/* ---- Recordings ---- */

enum { RECORDED_MAX = 4096 };

static struct flight recorded[RECORDED_MAX]; /* datagrams from one node to another */
static uint32_t recorded_count, recorded_from, recorded_to;

static inline bool record(struct cluster *c, uint32_t from, const struct flight *f)
{
    (void)c;
    if (from == recorded_from && f->to == recorded_to && recorded_count < RECORDED_MAX) {
        recorded[recorded_count++] = *f;
    }
    return true;
}

static inline void start_recording(struct cluster *c, uint32_t from, uint32_t to)
{
    recorded_count = 0;
    recorded_from = from;
    recorded_to = to;
    c->on_datagram = record;
}

/* What has come would be refused as that, and not opened. */
static inline bool record_and_drop(struct cluster *c, uint32_t from, const struct flight *f)
{
    (void)record(c, from, f);
    return from != recorded_from;
}

/* Bytes that come to a node from an address. */
static inline void bring(struct cluster *c, uint32_t at, const struct addr *from,
                         const uint8_t *data, size_t len)
{
    swim_packet(c->nodes[at].swim, from, NULL, data, len, c->now_us);
    drain(c, at);
}

/* How many of the recorded are no INTROs. */
static inline uint32_t recorded_pairs(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < recorded_count; i++) {
        count += !is_intro(&recorded[i]);
    }
    return count;
}

/* All that was recorded comes to a node, once more. */
static inline void replay(struct cluster *c, uint32_t at)
{
    for (uint32_t i = 0; i < recorded_count; i++) {
        bring(c, at, &recorded[i].addr, recorded[i].data, recorded[i].len);
    }
}

#endif
