/*
 * metrics_rig: a page of metrics, and what families of samples it has.
 */
#ifndef TESTS_UNIT_METRICS_RIG_H
#define TESTS_UNIT_METRICS_RIG_H

#include "net/api/metrics.h"
#include "net/api/ready.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 256 * 1024, NAME_MAX_ = 96, FAMILIES_MAX = 256 };

struct family {
    char name[NAME_MAX_];
    char type[16];
    size_t samples;
};

struct page {
    struct buf buf;
    struct family families[FAMILIES_MAX];
    size_t family_count;
};

static const struct latency no_latency;

static inline struct metrics example(void)
{
    struct metrics m = {.version = "1.2.3", .uptime_s = 61.5};
    m.status.unready = READY_JOINING;
    m.status.alive = 2;
    m.status.suspect = 11;
    m.status.dead = 12;
    m.status.left = 13;
    m.status.clock_offset_ms = -1500;
    m.status.counters.member_deaths = 3;
    m.status.counters.puts = UINT64_C(1) << 52;
    m.status.store.bytes_max = UINT64_C(1) << 40;
    m.figures.process.cpu_us = 250000;
    for (unsigned class = 1; class <= 5; class ++) {
        m.figures.http.requests_by_class[class] = class + 1;
    }
    m.links.queued = 6;
    m.sealing = (struct sealing_status){
        .state = SEALING_MIXED,
        .key_count = 2,
        .keys = {{.id = 0x3fa2, .sent = 20, .received = 22}, {.id = KEYRING_ID_OPEN, .sent = 7}},
        .lacking_first = {.count = 3},
        .cut_off = {.count = 1},
    };
    m.sealing.refused[SEALING_REFUSED_REPLAY] = 9;
    m.latency = &no_latency;
    return m;
}

/* The parts of a histogram have names of their own. */
static inline bool is_sample_of(const struct family *family, const char *line)
{
    static const char *const parts[] = {"_bucket", "_sum", "_count"};
    const bool is_histogram = strcmp(family->type, "histogram") == 0;
    const size_t len = strcspn(line, " {");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char name[NAME_MAX_ + 16];
        (void)snprintf(name, sizeof(name), "%s%s", family->name, is_histogram ? parts[i] : "");
        if (len == strlen(name) && memcmp(line, name, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Notes each family by its TYPE line, and the samples that follow it. */
static inline void read_families(struct page *p)
{
    const char *line = (const char *)buf_data(&p->buf);
    while (*line != '\0') {
        if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_true(p->family_count < FAMILIES_MAX);
            struct family *family = &p->families[p->family_count++];
            assert_int_equal(sscanf(line, "# TYPE %95s %15s", family->name, family->type), 2);
        } else if (*line != '#') {
            assert_true(p->family_count > 0);
            struct family *last = &p->families[p->family_count - 1];
            assert_true(is_sample_of(last, line));
            last->samples++;
        }
        line += strcspn(line, "\n") + 1;
    }
}

static inline int setup(void **state)
{
    struct page *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    const struct metrics m = example();
    buf_init(&p->buf, PAGE_MAX);
    assert_int_equal(metrics_write(&m, METRICS_TEXT, &p->buf), RC_OK);
    assert_int_equal(buf_append(&p->buf, "", 1), RC_OK);
    read_families(p);
    *state = p;
    return 0;
}

static inline int teardown(void **state)
{
    struct page *p = *state;
    buf_fini(&p->buf);
    free(p);
    return 0;
}

static inline void assert_line(const struct page *p, const char *line)
{
    assert_non_null(strstr((const char *)buf_data(&p->buf), line));
}

#endif
