#include "net/watch/watch_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BOOT UINT64_C(0x0123456789abcdef)
#define SCOPE UINT32_C(0x89abcdef)

static void assert_text(const struct buf *out, const char *wanted)
{
    assert_int_equal(out->len, strlen(wanted));
    assert_memory_equal(buf_data(out), wanted, out->len);
}

static void a_stream_begins_with_when_to_come_back_and_why_it_begins_anew(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    assert_int_equal(watch_text_begin("new", &out), RC_OK);
    assert_text(&out, "retry: 1000\nid:\nevent: reset\ndata: {\"reason\":\"new\"}\n\n");
    buf_clear(&out);
    assert_int_equal(watch_text_begin(NULL, &out), RC_OK);
    assert_text(&out, "retry: 1000\n:\n\n");
    buf_fini(&out);
}

static void an_id_and_what_has_it_come_together_or_not_at_all(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 72);
    assert_int_equal(watch_text_id(BOOT, SCOPE, UINT64_MAX, ":\n\n", &out), RC_OK);
    assert_text(&out, "id: 0123456789abcdef-89abcdef-18446744073709551615\n:\n\n");
    assert_int_equal(watch_text_id(BOOT, SCOPE, 1, ":\n\n", &out), RC_FULL);
    assert_text(&out, "id: 0123456789abcdef-89abcdef-18446744073709551615\n:\n\n");
    buf_fini(&out);
}

static void only_an_id_of_this_start_has_a_number(void **state)
{
    static const char *const others[] = {"",
                                         "0123456789abcdef",
                                         "0123456789abcdef-7",
                                         "0123456789abcdef-89abcdef",
                                         "0123456789abcdef-89abcdef-",
                                         "0123456789abcdef-89abcdef-x",
                                         "0123456789abcdef-89abcdef--1",
                                         "0123456789abcdef-89abcdef-99999999999999999999",
                                         "0123456789ABCDEF-89abcdef-7",
                                         "0123456789abcdee-89abcdef-7",
                                         "x"};
    uint64_t number = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct http_text id = {others[i], strlen(others[i])};
        assert_int_not_equal(watch_text_read_id(BOOT, SCOPE, id, &number), RC_OK);
    }
    assert_int_equal(watch_text_read_id(BOOT, SCOPE,
                                        (struct http_text){"0123456789abcdef-89abcdef-7", 27},
                                        &number),
                     RC_OK);
    assert_int_equal(number, 7);
    const struct http_text other = {"0123456789abcdef-89abcdee-8", 27};
    assert_int_equal(watch_text_read_id(BOOT, SCOPE, other, &number), RC_STALE);
    assert_int_equal(number, 7);
}

/* Not secret, and the same in each build and on each machine: a client may come back through a
 * proxy. */
static void what_is_watched_is_told_apart_by_prefix_and_values(void **state)
{
    const uint8_t a[] = {'a', '/'};
    (void)state;
    assert_int_equal(watch_text_scope(a, 1, false), 0xe6c632b6);
    assert_int_equal(watch_text_scope(a, 2, false), 0x1e549110);
    assert_int_equal(watch_text_scope(a, 1, true), 0xd2f6d099);
    assert_int_equal(watch_text_scope(NULL, 0, false), 0x2d068005);
}

static void who_has_to_wait_hears_something_that_is_no_event(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    assert_int_equal(watch_text_wait(&out), RC_OK);
    assert_text(&out, "retry: 1000\n: the node is still catching up\n\n");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_begins_with_when_to_come_back_and_why_it_begins_anew),
        cmocka_unit_test(an_id_and_what_has_it_come_together_or_not_at_all),
        cmocka_unit_test(only_an_id_of_this_start_has_a_number),
        cmocka_unit_test(what_is_watched_is_told_apart_by_prefix_and_values),
        cmocka_unit_test(who_has_to_wait_hears_something_that_is_no_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
