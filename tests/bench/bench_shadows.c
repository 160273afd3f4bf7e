/*
 * bench_shadows [keys [key bytes]]: what shadows cost when entries are overwritten by ones that
 * live less long.
 *
 * Every key (12 bytes unless `key bytes` says otherwise, 100-byte value) is written for an hour,
 * then overwritten again and again, each time for a minute. A key has one shadow at most, however
 * often it was overwritten, and only while nothing lives under it; it goes when the longest life
 * that was replaced would have ended.
 */
#include "core/base/parse.h"
#include "core/store/store.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEYS_DEFAULT = 1000000, KEY_LEN_DEFAULT = 12, VALUE_LEN = 100, OVERWRITES = 10 };

static uint64_t key_len = KEY_LEN_DEFAULT;

static const uint64_t start_ms = UINT64_C(1700000000000);
static const uint64_t long_ms = UINT64_C(3600000);
static const uint64_t short_ms = UINT64_C(60000);

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    char line[128];
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) {
        return 0;
    }
    if (fgets(line, sizeof(line), file) != NULL) {
        const char *at = strchr(line, ' ');
        pages = at == NULL ? 0 : strtoul(at, NULL, 10);
    }
    (void)fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_all(struct store *s, uint64_t keys, uint64_t now_ms, uint64_t ttl_ms)
{
    uint8_t value[VALUE_LEN] = {1};
    for (uint64_t i = 0; i < keys; i++) {
        char key[KEY_BYTES_MAX + 1];
        (void)snprintf(key, sizeof(key), "%0*" PRIx64, (int)key_len, i);
        const struct record r = {
            .key = (const uint8_t *)key,
            .key_len = (size_t)key_len,
            .value = value,
            .value_len = sizeof(value),
            .version = {.stamp = now_ms << VERSION_COUNTER_BITS, .origin = {{1}}},
            .expiry_ms = now_ms + ttl_ms,
        };
        enum merge_outcome outcome = MERGE_SAME;
        if (store_merge(s, &r, now_ms, &outcome) != RC_OK) {
            exit(1);
        }
    }
}

static void expire(struct store *s, uint64_t now_ms)
{
    while (store_expire(s, now_ms, 1000) == 1000) {
    }
    while (store_trim(s)) {
    }
}

static void tell(const struct store *s, const char *when, uint64_t keys, uint64_t resident_before)
{
    const struct store_stats stats = store_stats(s);
    const double count = (double)keys;
    printf("%-52s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9.1f %9.1f\n", when, stats.keys,
           stats.guards, stats.shadows, (double)stats.bytes_used / count,
           (double)(resident_bytes() - resident_before) / count);
}

int main(int argc, char **argv)
{
    uint64_t keys = KEYS_DEFAULT;
    const bool is_wrong =
        (argc > 1 && parse_u64(argv[1], strlen(argv[1]), UINT64_C(100000000), &keys) != RC_OK) ||
        (argc > 2 && parse_u64(argv[2], strlen(argv[2]), KEY_BYTES_MAX, &key_len) != RC_OK);
    if (is_wrong || key_len < KEY_LEN_DEFAULT) {
        (void)fprintf(stderr, "usage: bench_shadows [keys [key bytes, 12 or more]]\n");
        return 64;
    }
    /* As the node does it, so that freed pages go back to the system. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    (void)mallopt(M_TOP_PAD, 16 * 1024);
    const uint64_t resident = resident_bytes();
    const struct store_config config = {
        .bytes_max = UINT64_C(8) << 30, .table_seed = 1, .digest_seed = 2};
    struct store *s = store_new(&config);
    printf("%-52s %9s %9s %9s %9s %9s\n", "", "live", "guards", "shadows", "counted/k",
           "resident/k");
    write_all(s, keys, start_ms, long_ms);
    tell(s, "written for an hour", keys, resident);
    uint64_t now_ms = start_ms;
    for (int i = 0; i < OVERWRITES; i++) {
        now_ms += short_ms / 2;
        write_all(s, keys, now_ms, short_ms);
        expire(s, now_ms);
    }
    tell(s, "overwritten 10 times, each for a minute", keys, resident);
    now_ms += short_ms + 1000;
    expire(s, now_ms);
    tell(s, "a minute later", keys, resident);
    write_all(s, keys, now_ms, short_ms);
    tell(s, "written again for a minute", keys, resident);
    expire(s, now_ms + short_ms + 1000);
    tell(s, "a minute later", keys, resident);
    expire(s, start_ms + long_ms + 1000);
    tell(s, "when the hour of the first is over", keys, resident);
    store_free(s);
    return 0;
}
