#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/http/http_phase.h"
#include "net/sys/hostclock.h"
#include "own_clock.h"

static uint64_t told_ms;

static void note_deadline(struct http_shared *shared, uint64_t at_ms)
{
    (void)shared;
    told_ms = at_ms;
}

struct server {
    struct http_shared shared;
    struct http_conn a, b;
};

/* Two connections that idle, `a` longer than `b`. */
static void start(struct server *s)
{
    memset(s, 0, sizeof(*s));
    s->shared.config.idle_timeout_ms = 75000;
    s->shared.config.request_timeout_ms = 15000;
    s->shared.deadline = note_deadline;
    for (int i = 0; i < HTTP_PHASES; i++) {
        TAILQ_INIT(&s->shared.phases[i]);
    }
    struct http_conn *const both[] = {&s->a, &s->b};
    for (int i = 0; i < 2; i++) {
        both[i]->shared = &s->shared;
        both[i]->listed = HTTP_PHASE_IDLE;
        TAILQ_INSERT_TAIL(&s->shared.phases[HTTP_PHASE_IDLE], both[i], entry);
    }
}

static void a_phase_is_entered_at_once_and_listed_when_settled(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    http_phase_enter(&s.a, HTTP_PHASE_HEAD);
    assert_true(http_phase_is(&s.a, HTTP_PHASE_HEAD));
    assert_ptr_equal(TAILQ_FIRST(&s.shared.phases[HTTP_PHASE_IDLE]), &s.a);
    http_phase_settle(&s.a);
    assert_ptr_equal(TAILQ_FIRST(&s.shared.phases[HTTP_PHASE_IDLE]), &s.b);
    assert_ptr_equal(TAILQ_FIRST(&s.shared.phases[HTTP_PHASE_HEAD]), &s.a);
    assert_int_equal(s.a.deadline_ms, hostclock_coarse_ms() + 15000);
    assert_int_equal(told_ms, s.a.deadline_ms);
}

static void a_phase_entered_anew_goes_to_the_end_of_its_list(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    s.a.moved = 100;
    http_phase_settle(&s.a); /* nothing was entered */
    assert_ptr_equal(TAILQ_FIRST(&s.shared.phases[HTTP_PHASE_IDLE]), &s.a);
    assert_int_equal(s.a.mark, 0);
    http_phase_enter(&s.a, HTTP_PHASE_IDLE);
    http_phase_settle(&s.a);
    assert_ptr_equal(TAILQ_FIRST(&s.shared.phases[HTTP_PHASE_IDLE]), &s.b);
    assert_ptr_equal(TAILQ_NEXT(&s.b, entry), &s.a);
    assert_int_equal(s.a.mark, 100);
}

static void who_waits_to_be_woken_has_no_deadline(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    told_ms = 0;
    http_phase_enter(&s.a, HTTP_PHASE_WAITING);
    http_phase_settle(&s.a);
    http_phase_enter(&s.b, HTTP_PHASE_DEFERRED);
    http_phase_settle(&s.b);
    assert_int_equal(told_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_phase_is_entered_at_once_and_listed_when_settled),
        cmocka_unit_test(a_phase_entered_anew_goes_to_the_end_of_its_list),
        cmocka_unit_test(who_waits_to_be_woken_has_no_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
