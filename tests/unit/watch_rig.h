/*
 * watch_rig: watch over a fake engine, with streams that are read by hand.
 *
 * The clock is the test's. Wakes are noted, and nothing is read because of one.
 */
#ifndef TESTS_WATCH_RIG_H
#define TESTS_WATCH_RIG_H

#include "api_fixture.h"

#include "net/watch/watch.h"
#include "net/watch/watch_ring.h"

#include <stdlib.h>

enum { PIECE_MAX = 64 * 1024, WOKEN_MAX = 1024 };

#define S UINT64_C(1000000)

#define BOOT UINT64_C(0x0123456789abcdef)
#define ID_BOOT "0123456789abcdef-"
/* The front of the ids of who watches everything, with values, the prefix `a`, ... */
#define ID_TEXT ID_BOOT "2d068005-"
#define ID_VALUES ID_BOOT "4dc5b0cc-"
#define ID_OF_A ID_BOOT "e6c632b6-"
#define ID_OF_A_SLASH ID_BOOT "1e549110-"
#define ID_OF_QUIET ID_BOOT "5cd44797-"
#define ID_OF_NONE ID_BOOT "3356b483-"

struct rig {
    struct engine engine;
    struct watch *watch;
    uint64_t now_us;
    uint64_t turn_at_us;
    uint64_t woken[WOKEN_MAX];
    size_t woken_count;
    uint64_t last_id;
};

/* One watcher's stream, as a connection would hold it. */
struct stream {
    struct http_response rs;
    struct buf text; /* all that it was sent, NUL behind it */
    bool is_over;
};

static inline uint64_t on_now(void *arg)
{
    return ((struct rig *)arg)->now_us;
}

static inline void on_wake(void *arg, uint64_t id)
{
    struct rig *rig = arg;
    assert_true(rig->woken_count < WOKEN_MAX);
    rig->woken[rig->woken_count++] = id;
}

static inline void on_turn_by(void *arg, uint64_t at_us)
{
    struct rig *rig = arg;
    rig->turn_at_us = at_us < rig->turn_at_us ? at_us : rig->turn_at_us;
}

/* Another watch than the one that setup() has made. */
static inline void rig_watch(struct rig *rig, struct engine *engine, uint32_t watchers_max,
                             void (*wake)(void *arg, uint64_t id))
{
    const struct watch_config config = {.engine = engine,
                                        .boot = BOOT,
                                        .watchers_max = watchers_max,
                                        .arg = rig,
                                        .now_us = on_now,
                                        .wake = wake,
                                        .turn_by = on_turn_by};
    watch_free(rig->watch);
    rig->watch = watch_new(&config);
}

static inline int setup(void **state)
{
    struct rig *rig = mem_new(1, sizeof(*rig));
    fake_engine_init(&rig->engine);
    rig->now_us = S;
    rig->turn_at_us = UINT64_MAX;
    rig_watch(rig, &rig->engine, 3, on_wake);
    *state = rig;
    return 0;
}

static inline int teardown(void **state)
{
    struct rig *rig = *state;
    watch_free(rig->watch);
    assert_null(rig->engine.observer.put);
    fake_engine_fini(&rig->engine);
    free(rig);
    return 0;
}

static inline void put(struct rig *rig, const char *key, const char *value)
{
    const struct put write = {.key = (const uint8_t *)key,
                              .key_len = strlen(key),
                              .value = (const uint8_t *)value,
                              .value_len = strlen(value),
                              .ttl_ms = 600000};
    assert_int_equal(engine_put(&rig->engine, &write, rig->now_us), RC_OK);
}

static inline void expire(struct rig *rig, const char *key)
{
    struct fake_entry *entry = fake_find(&rig->engine, (const uint8_t *)key, strlen(key));
    struct record r;
    fake_record(entry, &r);
    entry->expiry_ms = 0;
    if (rig->engine.observer.expired != NULL) {
        rig->engine.observer.expired(rig->engine.observer.arg, &r);
    }
}

/* The text that the stream has now; "" for none. */
static inline const char *read_more(struct stream *s)
{
    struct buf piece;
    const size_t before = s->text.len > 0 ? s->text.len - 1 : 0;
    s->text.len = before;
    buf_init(&piece, PIECE_MAX);
    size_t len = 1;
    while (!s->is_over && len > 0) {
        buf_clear(&piece);
        s->is_over = !s->rs.produce(s->rs.arg, &piece);
        len = piece.len;
        assert_int_equal(buf_append(&s->text, buf_data(&piece), len), RC_OK);
    }
    buf_fini(&piece);
    assert_int_equal(buf_append(&s->text, "", 1), RC_OK);
    return (const char *)buf_data(&s->text) + before;
}

static inline enum rc open_with(struct rig *rig, struct stream *s, struct watch_request request,
                                const char *prefix, const char *last_id)
{
    request.id = ++rig->last_id;
    request.prefix = (const uint8_t *)prefix;
    request.prefix_len = strlen(prefix);
    request.last_id = fixture_text(last_id);
    *s = (struct stream){.is_over = false};
    http_response_init(&s->rs);
    buf_init(&s->text, 64 << 20);
    return watch_open(rig->watch, &request, &s->rs);
}

static inline void open_stream(struct rig *rig, struct stream *s, const char *prefix,
                               const char *last_id)
{
    const struct watch_request request = {.has_snapshot = true};
    assert_int_equal(open_with(rig, s, request, prefix, last_id), RC_OK);
}

static inline void close_stream(struct stream *s)
{
    http_response_fini(&s->rs);
    buf_fini(&s->text);
}

/* Lets a turn happen, and the streams that it wakes say nothing yet. */
static inline size_t turn(struct rig *rig)
{
    rig->woken_count = 0;
    rig->turn_at_us = UINT64_MAX;
    watch_turn(rig->watch);
    return rig->woken_count;
}

static inline size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

#endif
