/*
 * bench_store [entries]: what the store costs. Prints resident bytes per entry for 12-byte keys and
 * 100-byte values, what the store itself counts and what its ordered index takes, nanoseconds per
 * call, milliseconds per page of a listing, and the longest slice of an expiry storm in which every
 * entry comes due at once.
 */
#include "core/base/parse.h"
#include "core/base/rng.h"
#include "core/store/store.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    KEY_LEN = 12,
    VALUE_LEN = 100,
    SLICE = 1000,
    ENTRIES_DEFAULT = 1000000,
    PAGE_KEYS = 1000,
    PAGES = 100,
    PREFIX_MAX = 5,
};

static const uint64_t start_ms = UINT64_C(1700000000000);
static const uint64_t storm_ttl_ms = UINT64_C(600000);

static uint64_t now_ns(void)
{
    struct timespec ts;
    /* The processor's time: a shared machine's other work does not count. */
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) {
        return 0;
    }
    char line[128];
    if (fgets(line, sizeof(line), file) != NULL) {
        char *at = strchr(line, ' ');
        pages = at == NULL ? 0 : strtoul(at, NULL, 10);
    }
    (void)fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void make_key(uint64_t i, char key[static KEY_LEN + 1])
{
    /* Scattered over the order, as hashed or random keys are. */
    (void)snprintf(key, KEY_LEN + 1, "%012" PRIx64, (i * UINT64_C(0x9e3779b97f4a7c15)) >> 16);
}

static void fill(struct store *s, uint64_t count, uint64_t ttl_max_ms, uint64_t ttl_min_ms)
{
    uint8_t value[VALUE_LEN] = {1};
    struct rng rng;
    rng_init(&rng, 1);
    for (uint64_t i = 0; i < count; i++) {
        char key[KEY_LEN + 1];
        make_key(i, key);
        const uint64_t now_ms = start_ms + i / 5; /* 5,000 a second */
        const struct record r = {
            .key = (const uint8_t *)key,
            .key_len = KEY_LEN,
            .value = value,
            .value_len = VALUE_LEN,
            .version = {now_ms << VERSION_COUNTER_BITS | (i & 0xffff), {{1}}},
            .expiry_ms = now_ms + ttl_min_ms + rng_below(&rng, ttl_max_ms - ttl_min_ms + 1),
        };
        enum merge_outcome outcome = MERGE_ABSENT;
        if (store_merge(s, &r, now_ms, &outcome) != RC_OK || outcome != MERGE_APPLIED) {
            (void)fprintf(stderr, "entry %" PRIu64 " was not applied\n", i);
            exit(1);
        }
    }
}

static void print_reads(const struct store *s, uint64_t count, uint64_t now_ms)
{
    uint64_t found = 0;
    struct record r;
    struct rng rng;
    rng_init(&rng, 2);
    uint64_t from = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        char key[KEY_LEN + 1];
        make_key(rng_below(&rng, count), key);
        found += store_get(s, (const uint8_t *)key, KEY_LEN, now_ms, &r) == RC_OK;
    }
    printf("get               %7.0f ns (%" PRIu64 " found)\n",
           (double)(now_ns() - from) / (double)count, found);
    uint8_t after[KEY_LEN];
    size_t after_len = 0;
    uint64_t listed = 0;
    from = now_ns();
    while (listed < 100000 && store_next_key(s, NULL, 0, after, after_len, now_ms, &r) == RC_OK) {
        memcpy(after, r.key, r.key_len);
        after_len = r.key_len;
        listed++;
    }
    printf("next key          %7.0f ns\n",
           listed == 0 ? 0.0 : (double)(now_ns() - from) / (double)listed);
}

/* Each key of a page is looked for from the top, as a listing does that goes on after any key. */
static uint64_t page_ns(const struct store *s, const char *prefix, size_t prefix_len,
                        uint64_t now_ms, uint64_t *listed)
{
    uint8_t after[KEY_LEN];
    size_t after_len = 0;
    struct record r;
    const uint64_t from = now_ns();
    for (int i = 0; i < PAGE_KEYS; i++) {
        if (store_next_key(s, (const uint8_t *)prefix, prefix_len, after, after_len, now_ms, &r) !=
            RC_OK) {
            break;
        }
        memcpy(after, r.key, r.key_len);
        after_len = r.key_len;
        (*listed)++;
    }
    return now_ns() - from;
}

static void print_pages(const struct store *s, uint64_t count, uint64_t now_ms)
{
    struct rng rng;
    rng_init(&rng, 3);
    for (size_t prefix_len = 0; prefix_len <= PREFIX_MAX; prefix_len++) {
        uint64_t total = 0;
        uint64_t longest = 0;
        uint64_t listed = 0;
        for (int i = 0; i < PAGES; i++) {
            char key[KEY_LEN + 1];
            make_key(rng_below(&rng, count), key);
            const uint64_t took = page_ns(s, key, prefix_len, now_ms, &listed);
            total += took;
            longest = took > longest ? took : longest;
        }
        printf("page of %d      %7.3f ms, longest %.3f (any prefix of %zu bytes, %.0f keys)\n",
               (int)PAGE_KEYS, (double)total / (double)PAGES / 1e6, (double)longest / 1e6,
               prefix_len, (double)listed / (double)PAGES);
    }
}

static void print_storm(struct store *s, uint64_t now_ms)
{
    uint64_t longest = 0;
    uint64_t total = 0;
    uint64_t calls = 0;
    size_t handled = SLICE;
    while (handled == SLICE) {
        const uint64_t from = now_ns();
        handled = store_expire(s, now_ms, SLICE);
        const uint64_t took = now_ns() - from;
        longest = took > longest ? took : longest;
        total += took;
        calls++;
    }
    printf("expiry            %7.2f ms longest slice of %d, %.0f ms in all, %" PRIu64 " slices\n",
           (double)longest / 1e6, (int)SLICE, (double)total / 1e6, calls);
    uint64_t trimmed = 0;
    while (store_trim(s)) {
        trimmed++;
    }
    printf("after             %7" PRIu64 " bytes counted, memory given back in %" PRIu64 " calls\n",
           store_stats(s).bytes_used, trimmed);
}

int main(int argc, char **argv)
{
    uint64_t count = ENTRIES_DEFAULT;
    if (argc > 1 && parse_u64(argv[1], strlen(argv[1]), UINT32_MAX, &count) != RC_OK) {
        (void)fprintf(stderr, "usage: bench_store [entries]\n");
        return 2;
    }
    /* As the node does: slab pages are mapped and unmapped one by one. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    (void)mallopt(M_TOP_PAD, 16 * 1024);
    const struct store_config config = {
        .bytes_max = UINT64_MAX, .table_seed = 11, .digest_seed = 22};
    struct store *s = store_new(&config);
    const uint64_t resident_before = resident_bytes();
    const uint64_t from = now_ns();
    fill(s, count, storm_ttl_ms + 86400000, storm_ttl_ms);
    const uint64_t took = now_ns() - from;
    const uint64_t now_ms = start_ms + count / 5;
    const uint64_t resident = resident_bytes() - resident_before;
    printf("entries           %7" PRIu64 " (%d-byte keys, %d-byte values)\n", count, (int)KEY_LEN,
           (int)VALUE_LEN);
    printf("resident          %7.1f bytes per entry\n", (double)resident / (double)count);
    printf("counted           %7.1f bytes per entry\n",
           (double)store_stats(s).bytes_used / (double)count);
    printf("ordered index     %7.1f bytes per entry\n",
           (double)store_stats(s).order_bytes / (double)count);
    printf("put               %7.0f ns\n", (double)took / (double)count);
    print_reads(s, count, now_ms);
    print_pages(s, count, now_ms);
    struct digest root;
    const uint64_t root_from = now_ns();
    const enum rc rc = store_root(s, now_ms / 1000 - 2, &root);
    printf("root as of a cut  %7.1f us (%s)\n", (double)(now_ns() - root_from) / 1e3, rc_text(rc));
    print_storm(s, now_ms + UINT64_C(2) * 86400000);
    printf("resident after    %7.1f MB above the start\n",
           (double)(resident_bytes() - resident_before) / 1e6);
    store_free(s);
    return 0;
}
