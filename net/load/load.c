#include "net/load/load.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "net/load/load_state.h"
#include "net/sys/hostclock.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TURN_MS = 10,
    PACE_MIN_US = 50,    /* requests that fall due within it are sent together */
    PACE_FULL_US = 1000, /* every connection is full: an answer will come first */
    OPEN_PER_TURN = 100, /* connections, so that they fit the server's queue of new ones */
    US_PER_S = 1000000,
    NS_PER_US = 1000,
    NS_PER_MS = 1000000,
    P99 = 990,
};

static const uint64_t ns_per_s = 1000000000;

const char *load_fault_name(enum load_fault fault)
{
    static const char *const names[LOAD_FAULT_COUNT] = {
        [LOAD_FAULT_CONNECT] = "connect",
        [LOAD_FAULT_CLOSED] = "closed",
        [LOAD_FAULT_IO] = "io",
        [LOAD_FAULT_TIMEOUT] = "timeout",
        [LOAD_FAULT_MALFORMED] = "malformed",
    };
    return names[fault];
}

/* ---- What is due ---- */

static bool is_paced(const struct load *l)
{
    return l->config->rate > 0 && (l->part == LOAD_WARM_UP || l->part == LOAD_MEASURE);
}

/* Whether all requests of the part have been issued. */
static bool is_used_up(const struct load *l)
{
    const uint64_t most = l->config->requests_max;
    if (is_paced(l)) {
        return l->issued == l->due.most;
    }
    return l->part == LOAD_OVER || l->is_ending ||
           (l->part == LOAD_FILL && l->issued == l->mix.key_count) ||
           (l->part == LOAD_MEASURE && most > 0 && l->issued == most);
}

bool load_take(struct load *l, size_t target, uint64_t now_ns, struct load_ask *ret_ask,
               struct load_sent *ret_sent)
{
    uint64_t start_ns = now_ns;
    if (is_used_up(l)) {
        return false;
    }
    if (is_paced(l)) {
        start_ns = load_due_next_ns(&l->due, target);
        if (start_ns > now_ns) {
            return false;
        }
        load_due_take(&l->due, target);
    }
    *ret_ask = l->part == LOAD_FILL ? load_mix_fill(&l->mix, l->issued) : load_mix_next(&l->mix);
    *ret_sent = (struct load_sent){.start_ns = start_ns,
                                   .sent_ns = now_ns,
                                   .part = l->part,
                                   .kind = ret_ask->is_put ? LOAD_PUT : LOAD_GET};
    l->issued++;
    return true;
}

/* ---- What came of it ---- */

/* So many that were due have not been sent by the end. They count as the mix would have drawn them,
 * with the time that they have waited. */
static void note_unsent(void *arg, uint64_t waited_ns, uint64_t count)
{
    struct load *l = arg;
    struct load_result *result = l->result;
    const uint64_t share = l->config->mix.reads_percent;
    const uint64_t all = result->unsent + count;
    const uint64_t gets = all / 100 * share + all % 100 * share / 100 - l->unsent_gets;
    sample_add_many(&result->kinds[LOAD_GET].latency_ns, waited_ns, gets);
    sample_add_many(&result->kinds[LOAD_PUT].latency_ns, waited_ns, count - gets);
    l->unsent_gets += gets;
    result->unsent = all;
}

/* One that is under way at the end of an open loop has waited so long, at least. */
static void note_unanswered(struct load *l, const struct load_conn *c, uint64_t now_ns)
{
    for (uint32_t i = 0; i < c->ring_count; i++) {
        const struct load_sent *sent = &c->ring[(c->ring_at + i) % l->config->depth];
        if (sent->part == LOAD_MEASURE) {
            sample_add(&l->result->kinds[sent->kind].latency_ns, now_ns - sent->start_ns);
        }
    }
}

static void load_end(struct load *l, enum rc rc, uint64_t now_ns)
{
    if (l->part == LOAD_MEASURE) {
        l->result->elapsed_ns = now_ns - l->part_ns;
        l->result->unanswered = l->issued - l->answered;
        if (is_paced(l)) {
            load_due_left(&l->due, now_ns, note_unsent, l);
            for (uint32_t i = 0; i < l->config->connections; i++) {
                note_unanswered(l, &l->conns[i], now_ns);
            }
        }
    }
    l->part = LOAD_OVER;
    l->rc = rc;
    (void)event_base_loopbreak(l->base);
}

/* The last one that was asked for needs not wait for the turn. With a rate and a time there is
 * still time to pass. */
static void note_done(struct load *l, uint64_t now_ns)
{
    const bool is_timed = is_paced(l) && l->config->duration_ms > 0 && !l->is_ending &&
                          l->issued != l->config->requests_max;
    l->answered++;
    if (l->part == LOAD_MEASURE && is_used_up(l) && l->answered == l->issued && !is_timed) {
        load_end(l, RC_OK, now_ns);
    }
}

bool load_answered(struct load *l, const struct load_conn *c, const struct load_sent *sent,
                   int status, uint64_t now_ns)
{
    struct load_kind_result *kind = &l->result->kinds[sent->kind];
    struct load_target_result *target = &l->result->targets[c->target];
    const bool is_success = status / 100 == 2 || (status == 404 && sent->kind == LOAD_GET);
    if (sent->part != l->part) {
        return is_success;
    }
    l->errors += is_success ? 0 : 1;
    if (l->config->progress != NULL) {
        sample_add(&l->recent, now_ns - sent->start_ns);
    }
    if (sent->part == LOAD_FILL) {
        l->result->fill_answered++;
        l->result->fill_errors += is_success ? 0 : 1;
    } else if (sent->part == LOAD_MEASURE) {
        kind->answered++;
        kind->statuses[status]++;
        kind->errors += is_success ? 0 : 1;
        target->answered++;
        target->errors += is_success ? 0 : 1;
        if (is_success) {
            sample_add(&kind->latency_ns, now_ns - sent->start_ns);
        }
    }
    note_done(l, now_ns);
    return is_success;
}

void load_failed(struct load *l, const struct load_conn *c, const struct load_sent *sent,
                 enum load_fault fault, const char *text)
{
    struct load_result *result = l->result;
    if (l->part == LOAD_OVER) {
        return;
    }
    if (result->error[0] == '\0') {
        (void)snprintf(result->error, sizeof(result->error), "%.*s: %s", LOAD_ERROR_SIZE / 2,
                       l->config->targets[c->target].host, text);
    }
    result->faults[fault]++;
    result->targets[c->target].faults++;
    l->errors++;
    if (fault == LOAD_FAULT_TIMEOUT && sent != NULL && sent->part == LOAD_MEASURE) {
        sample_add(&result->kinds[sent->kind].latency_ns, hostclock_boot_ns() - sent->start_ns);
    }
    if (sent == NULL || sent->part != l->part) {
        return;
    }
    if (l->part == LOAD_FILL) {
        load_end(l, RC_REFUSED, hostclock_boot_ns());
    } else {
        note_done(l, hostclock_boot_ns());
    }
}

/* ---- The parts ---- */

static void pace(struct load *l);

/* When the time of the measurement is over, which has begun. */
static uint64_t end_ns_of(const struct load *l)
{
    return l->part_ns + l->config->duration_ms * NS_PER_MS;
}

static void begin(struct load *l, enum load_part part, uint64_t now_ns)
{
    l->part = part;
    l->part_ns = l->recent_ns = now_ns;
    l->issued = l->answered = l->errors = l->unsent_gets = 0;
    l->is_ending = false;
    sample_clear(&l->recent);
    if (part == LOAD_MEASURE) {
        l->result->bytes_in = l->result->bytes_out = 0;
    }
    if (is_paced(l)) {
        const uint64_t most = part == LOAD_MEASURE ? l->config->requests_max : 0;
        load_due_begin(&l->due, now_ns, most > 0 ? most : NEVER);
        if (part == LOAD_MEASURE && l->config->duration_ms > 0) {
            load_due_close(&l->due, end_ns_of(l));
        }
        pace(l);
        return;
    }
    for (uint32_t i = 0; i < l->config->connections; i++) {
        (void)load_conn_pump(&l->conns[i], UINT32_MAX);
    }
}

/* The time of the measurement is over. In a closed loop that is the end. A burst is waited for, and
 * so is what fell due in time, or a stall at the end would not be seen: but not for longer than an
 * answer may take. */
static void end_in_time(struct load *l, uint64_t now_ns)
{
    const uint64_t wait_ns = (uint64_t)l->config->timeout_ms * NS_PER_MS;
    l->is_ending = l->config->is_burst || is_paced(l);
    const bool is_done = is_used_up(l) && l->answered == l->issued;
    if (!l->is_ending || is_done || (is_paced(l) && now_ns >= end_ns_of(l) + wait_ns)) {
        load_end(l, RC_OK, now_ns);
    }
}

static void next_part(struct load *l, uint64_t now_ns)
{
    const uint64_t passed_ns = now_ns - l->part_ns;
    if (l->part == LOAD_FILL && is_used_up(l) && l->answered == l->issued) {
        begin(l, l->config->warm_up_ms > 0 ? LOAD_WARM_UP : LOAD_MEASURE, now_ns);
    } else if (l->part == LOAD_WARM_UP && passed_ns >= l->config->warm_up_ms * NS_PER_MS) {
        begin(l, LOAD_MEASURE, now_ns);
    } else if (l->part == LOAD_MEASURE && l->config->duration_ms > 0 &&
               passed_ns >= l->config->duration_ms * NS_PER_MS) {
        end_in_time(l, now_ns);
    }
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct load *l = arg;
    const uint64_t now_ns = hostclock_boot_ns();
    (void)fd;
    (void)what;
    for (uint32_t i = 0; i < l->config->connections && l->part != LOAD_OVER; i++) {
        load_conn_turn(&l->conns[i], now_ns);
    }
    if (l->part != LOAD_OVER &&
        now_ns > l->alive_ns + l->config->timeout_ms * (uint64_t)NS_PER_MS) {
        load_end(l, RC_REFUSED, now_ns);
    }
    next_part(l, now_ns);
}

/* ---- A rate: what has fallen due goes to the connections in turn ---- */

/* Sends what is due at one target, as far as its connections have room. Returns when its next
 * request falls due: not later than now where they have none. */
static uint64_t pace_target(struct load *l, size_t target, uint64_t now_ns)
{
    const size_t step = l->config->target_count;
    const size_t count = (l->config->connections - target + step - 1) / step;
    const uint32_t together = l->config->is_burst ? l->config->depth : 1;
    size_t *next = &l->next_conn[target];
    size_t full_count = 0;
    uint64_t due_ns = load_due_next_ns(&l->due, target);
    while (full_count < count && due_ns <= now_ns && is_paced(l)) {
        struct load_conn *c = &l->conns[target + *next * step];
        *next = (*next + 1) % count;
        full_count = load_conn_pump(c, together) > 0 ? 0 : full_count + 1;
        due_ns = load_due_next_ns(&l->due, target);
    }
    return due_ns;
}

static void pace(struct load *l)
{
    const uint64_t began_ns = hostclock_boot_ns();
    uint64_t next_ns = NEVER;
    for (size_t i = 0; i < l->config->target_count && is_paced(l); i++) {
        const uint64_t due_ns = pace_target(l, i, began_ns);
        if (due_ns > began_ns) {
            next_ns = min_u64(next_ns, due_ns);
        }
    }
    if (is_used_up(l)) {
        return;
    }
    const uint64_t now_ns = hostclock_boot_ns();
    uint64_t us = next_ns == NEVER ? PACE_FULL_US : PACE_MIN_US;
    if (next_ns != NEVER && next_ns > now_ns + us * NS_PER_US) {
        us = (next_ns - now_ns) / NS_PER_US;
    }
    const struct timeval wait = {.tv_sec = (time_t)(us / US_PER_S),
                                 .tv_usec = (suseconds_t)(us % US_PER_S)};
    (void)evtimer_add(l->pace, &wait);
}

static void on_pace(evutil_socket_t fd, short what, void *arg)
{
    struct load *l = arg;
    (void)fd;
    (void)what;
    if (is_paced(l)) {
        pace(l);
    }
}

/* ---- Reports and signals ---- */

static void on_report(evutil_socket_t fd, short what, void *arg)
{
    struct load *l = arg;
    const uint64_t now_ns = hostclock_boot_ns();
    const uint64_t since_ns = now_ns > l->recent_ns ? now_ns - l->recent_ns : 1;
    const struct load_progress p = {
        .part = l->part,
        .part_ns = now_ns - l->part_ns,
        .answered = l->answered,
        .recent_per_s = (uint64_t)((unsigned __int128)l->recent.count * ns_per_s / since_ns),
        .recent_p99_ns = sample_percentile(&l->recent, P99),
        .recent_max_ns = l->recent.max,
        .has_p99 = sample_resolves(&l->recent, P99),
        .errors = l->errors,
    };
    (void)fd;
    (void)what;
    l->config->progress(l->config->arg, &p);
    sample_clear(&l->recent);
    l->recent_ns = now_ns;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct load *l = arg;
    (void)fd;
    (void)what;
    l->result->is_interrupted = true;
    load_end(l, RC_OK, hostclock_boot_ns());
}

/* ---- The run ---- */

static bool add_timer(struct load *l, struct event **ret_event, event_callback_fn callback,
                      uint32_t ms)
{
    const struct timeval every = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    *ret_event = event_new(l->base, -1, EV_PERSIST, callback, l);
    return *ret_event != NULL && event_add(*ret_event, &every) == 0;
}

static bool add_signal(struct load *l, struct event **ret_event, int number)
{
    *ret_event = evsignal_new(l->base, number, on_signal, l);
    return *ret_event != NULL && event_add(*ret_event, NULL) == 0;
}

/* Timers of less than a millisecond are what a rate is made of. */
static struct event_base *precise_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config != NULL) {
        (void)event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
        base = event_base_new_with_config(config);
        event_config_free(config);
    }
    return base;
}

static bool make_loop(struct load *l)
{
    l->base = l->config->base != NULL ? l->config->base : precise_base();
    l->pace = l->base != NULL ? evtimer_new(l->base, on_pace, l) : NULL;
    return l->pace != NULL && add_timer(l, &l->turn, on_turn, TURN_MS) &&
           (l->config->progress == NULL ||
            add_timer(l, &l->report, on_report, l->config->progress_ms)) &&
           add_signal(l, &l->interrupt, SIGINT) && add_signal(l, &l->terminate, SIGTERM);
}

static void load_fini(struct load *l)
{
    struct event *const events[] = {l->turn, l->pace, l->report, l->interrupt, l->terminate};
    for (uint32_t i = 0; l->conns != NULL && i < l->config->connections; i++) {
        load_conn_fini(&l->conns[i]);
    }
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (l->base != NULL && l->base != l->config->base) {
        event_base_free(l->base);
    }
    sample_fini(&l->recent);
    load_mix_fini(&l->mix);
    load_due_fini(&l->due);
    free(l->good_addr);
    free(l->next_conn);
    free(l->conns);
    free(l);
}

static void start(struct load *l)
{
    const struct load_config *config = l->config;
    const uint64_t now_ns = hostclock_boot_ns();
    l->conns = mem_new(config->connections, sizeof(*l->conns));
    l->good_addr = mem_new(config->target_count, sizeof(*l->good_addr));
    l->next_conn = mem_new(config->target_count, sizeof(*l->next_conn));
    if (config->rate > 0) {
        load_due_init(&l->due, config->rate, config->is_burst ? config->depth : 1,
                      config->target_count);
    }
    l->alive_ns = now_ns;
    for (uint32_t i = 0; i < config->connections; i++) {
        load_conn_init(&l->conns[i], l, i % config->target_count,
                       now_ns + (uint64_t)(i / OPEN_PER_TURN) * TURN_MS * NS_PER_MS);
    }
    const enum load_part after_fill = config->warm_up_ms > 0 ? LOAD_WARM_UP : LOAD_MEASURE;
    begin(l, config->does_fill ? LOAD_FILL : after_fill, now_ns);
    on_turn(-1, 0, l);
}

enum rc load_run(const struct load_config *config, struct load_result *ret_result)
{
    ASSERT(config->target_count > 0 && config->connections >= config->target_count);
    ASSERT(config->connections <= LOAD_CONNECTIONS_MAX && config->depth > 0);
    ASSERT((uint64_t)config->connections * config->depth <= LOAD_UNDER_WAY_MAX);
    struct load *l = mem_new(1, sizeof(*l));
    l->config = config;
    l->result = ret_result;
    *ret_result = (struct load_result){.target_count = config->target_count};
    ret_result->targets = mem_new(config->target_count, sizeof(*ret_result->targets));
    load_mix_init(&l->mix, &config->mix);
    enum rc rc = RC_NO_MEMORY;
    if (make_loop(l)) {
        start(l);
        if (l->part != LOAD_OVER) {
            (void)event_base_dispatch(l->base);
        }
        rc = l->rc;
    }
    load_fini(l);
    return rc;
}

void load_result_fini(struct load_result *result)
{
    for (size_t i = 0; i < LOAD_KIND_COUNT; i++) {
        sample_fini(&result->kinds[i].latency_ns);
    }
    free(result->targets);
    result->targets = NULL;
}
