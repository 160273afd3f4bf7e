/*
 * bench_entry [entries]: how many bytes an entry takes, for four shapes, and where they are. Each
 * shape has a process of its own, so that what is resident is its own. Expiries are spread over a
 * day.
 */
#include "core/base/parse.h"
#include "core/base/rng.h"
#include "core/store/store.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENTRIES_DEFAULT = 1000000, KEY_MAX = 40, VALUE_MAX = 1000, LINE_MAX_BYTES = 128 };

struct shape {
    size_t key_len, value_len;
};

static const struct shape shapes[] = {{12, 10}, {12, 100}, {40, 100}, {12, 1000}};

static const uint64_t start_ms = UINT64_C(1700000000000);

static uint64_t resident_bytes(void)
{
    char line[LINE_MAX_BYTES] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) {
        return 0;
    }
    const char *at = fgets(line, sizeof(line), file) == NULL ? NULL : strchr(line, ' ');
    (void)fclose(file);
    return at == NULL ? 0 : strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put(struct store *s, const struct shape *shape, uint64_t i, uint64_t after_ms)
{
    static const uint8_t value[VALUE_MAX] = {1};
    char key[KEY_MAX + 1];
    /* Scattered over the order, as hashed or random keys are. */
    (void)snprintf(key, sizeof(key), "%012" PRIx64 "%028d",
                   (i * UINT64_C(0x9e3779b97f4a7c15)) >> 16, 0);
    const uint64_t now_ms = start_ms + i / 5; /* 5,000 a second */
    const struct record r = {
        .key = (const uint8_t *)key,
        .key_len = shape->key_len,
        .value = value,
        .value_len = shape->value_len,
        .version = {now_ms << VERSION_COUNTER_BITS | (i & 0xffff), {{1}}},
        .expiry_ms = now_ms + 600000 + after_ms,
    };
    enum merge_outcome outcome = MERGE_ABSENT;
    if (store_merge(s, &r, now_ms, &outcome) != RC_OK || outcome != MERGE_APPLIED) {
        (void)fprintf(stderr, "entry %" PRIu64 " was not applied\n", i);
        exit(1);
    }
}

static void measure(const struct shape *shape, uint64_t count)
{
    /* As the node does. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    (void)mallopt(M_TOP_PAD, 16 * 1024);
    const struct store_config config = {
        .bytes_max = UINT64_MAX, .table_seed = 11, .digest_seed = 22};
    struct store *s = store_new(&config);
    struct rng rng;
    rng_init(&rng, 1);
    const uint64_t before = resident_bytes();
    for (uint64_t i = 0; i < count; i++) {
        put(s, shape, i, rng_below(&rng, 86400000));
    }
    const struct store_stats stats = store_stats(s);
    const double n = (double)count;
    char name[16];
    (void)snprintf(name, sizeof(name), "%zu+%zu", shape->key_len, shape->value_len);
    printf("%-8s resident %7.1f, counted %7.1f; pages %7.1f, table %.1f, order %.1f, epochs %.1f\n",
           name, (double)(resident_bytes() - before) / n, (double)stats.bytes_used / n,
           (double)stats.page_bytes / n, (double)stats.table_bytes / n,
           (double)stats.order_bytes / n, (double)store_epoch_bytes(s) / n);
    store_free(s);
}

int main(int argc, char **argv)
{
    uint64_t count = ENTRIES_DEFAULT;
    if (argc > 1 &&
        (parse_u64(argv[1], strlen(argv[1]), UINT32_MAX, &count) != RC_OK || count == 0)) {
        (void)fprintf(stderr, "usage: bench_entry [entries]\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        (void)fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            measure(&shapes[i], count);
            return 0;
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            return 1;
        }
    }
    return 0;
}
