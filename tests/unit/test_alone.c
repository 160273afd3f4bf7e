/* Who should know others, and how often that it knows none is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/discovery/alone.h"

#include <string.h>

#define START_MS UINT64_C(1000000)

static struct addr at(const char *ip, uint16_t port)
{
    struct addr addr;
    assert_int_equal(addr_parse_ip(ip, port, &addr), RC_OK);
    return addr;
}

/* What one pass names: so many ports of the address. */
struct named {
    const char *ip;
    uint16_t ports;
    bool is_own;
};

static void name_all(struct alone *a, const struct named *named, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (uint16_t port = 0; port < named[i].ports; port++) {
            const struct addr addr = at(named[i].ip, (uint16_t)(8081 + port));
            alone_named(a, &addr, named[i].is_own, true);
        }
    }
}

/* Whether a node that hears from nobody says so after two passes, some time apart. */
static bool is_said(struct alone a, const struct named *named, size_t count)
{
    name_all(&a, named, count);
    assert_false(alone_pass_over(&a, true, START_MS));
    name_all(&a, named, count);
    assert_false(alone_pass_over(&a, true, START_MS + 1));
    name_all(&a, named, count);
    const bool is_early = alone_pass_over(&a, true, START_MS + ALONE_SAID_AFTER_MS);
    assert_false(is_early || alone_lasts(&a, START_MS + ALONE_SAID_AFTER_MS));
    name_all(&a, named, count);
    const bool is_it = alone_pass_over(&a, true, START_MS + ALONE_SAID_AFTER_MS + 1);
    assert_int_equal(alone_lasts(&a, START_MS + ALONE_SAID_AFTER_MS + 1), is_it);
    return is_it;
}

static void who_should_know_others(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct named named[3];
        bool is_company_due, are_nodes_named, is_said;
    } rows[] = {
        {"its own host's range", {{"127.0.0.1", 9, true}}, false, false, false},
        {"siblings, or expected members", {{"127.0.0.1", 9, true}}, true, false, true},
        {"expected, and nobody to ask", {{NULL, 0, false}}, true, false, true},
        {"a list of others", {{"192.0.2.1", 1, false}}, false, true, true},
        {"a list of itself", {{NULL, 0, false}}, false, true, false},
        {"one address, perhaps its own", {{"192.0.2.1", 10, false}}, false, false, false},
        {"and its own in both families",
         {{"192.0.2.1", 10, false}, {"2001:db8::1", 10, false}, {"127.0.0.1", 9, true}},
         false,
         false,
         false},
        {"two addresses", {{"192.0.2.1", 9, false}, {"192.0.2.2", 9, false}}, false, false, true},
        {"two of IPv6", {{"2001:db8::1", 9, false}, {"2001:db8::2", 9, false}}, false, false, true},
        {"its own and another",
         {{"10.0.0.1", 9, true}, {"10.0.0.2", 9, false}},
         false,
         false,
         true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct alone a;
        alone_init(&a, rows[i].is_company_due, rows[i].are_nodes_named);
        if (is_said(a, rows[i].named, 3) != rows[i].is_said) {
            fail_msg("%s", rows[i].what);
        }
    }
}

static void it_is_said_again_while_it_lasts_less_and_less_often(void **state)
{
    (void)state;
    struct alone a;
    uint64_t said_ms[8] = {0};
    size_t said = 0;
    alone_init(&a, true, false);
    (void)alone_pass_over(&a, true, START_MS);
    for (uint64_t now_ms = START_MS + 1; said < 8; now_ms += 1000) {
        if (alone_pass_over(&a, true, now_ms)) {
            said_ms[said++] = now_ms;
        }
    }
    assert_int_equal(said_ms[0], START_MS + 1 + ALONE_SAID_AFTER_MS);
    for (size_t i = 1; i < 7; i++) {
        assert_int_equal(said_ms[i] - said_ms[i - 1], (uint64_t)ALONE_PAUSE_MIN_MS << (i - 1));
    }
    assert_int_equal(said_ms[7] - said_ms[6], ALONE_PAUSE_MAX_MS);
}

static void company_ends_it_and_a_loss_begins_it_anew(void **state)
{
    (void)state;
    struct alone a;
    const uint64_t lost_ms = START_MS + UINT64_C(10) * ALONE_SAID_AFTER_MS;
    alone_init(&a, true, false);
    (void)alone_pass_over(&a, true, START_MS);
    (void)alone_pass_over(&a, true, START_MS + 1);
    assert_true(alone_pass_over(&a, true, START_MS + 1 + ALONE_SAID_AFTER_MS));
    assert_false(alone_pass_over(&a, false, lost_ms - 1));
    assert_false(alone_lasts(&a, lost_ms));
    assert_false(alone_pass_over(&a, true, lost_ms));
    assert_false(alone_lasts(&a, lost_ms + ALONE_SAID_AFTER_MS - 1));
    assert_true(alone_lasts(&a, lost_ms + ALONE_SAID_AFTER_MS));
    assert_true(alone_pass_over(&a, true, lost_ms + ALONE_SAID_AFTER_MS));
}

static void the_words_count_what_was_asked(void **state)
{
    (void)state;
    static const struct named three = {"192.0.2.1", 3, false}, one = {"192.0.2.1", 1, false};
    const struct addr known = at("192.0.2.9", 8081);
    char text[ALONE_TEXT_SIZE];
    struct alone a;
    alone_init(&a, false, true);
    name_all(&a, &three, 1);
    alone_named(&a, &known, false, false);
    (void)alone_pass_over(&a, true, START_MS);
    assert_string_equal(alone_text(&a, "private", text),
                        "alone: asked 3 addresses, none of network \"private\" answered");
    name_all(&a, &one, 1);
    (void)alone_pass_over(&a, true, START_MS);
    assert_string_equal(alone_text(&a, "n", text),
                        "alone: asked 1 address, none of network \"n\" answered");
    (void)alone_pass_over(&a, true, START_MS);
    assert_string_equal(alone_text(&a, "n", text), "alone: there is no address to ask");
    char longest[NAME_SIZE];
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    a.asked_last = UINT32_MAX;
    assert_non_null(strstr(alone_text(&a, longest, text), "nn\" answered"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_should_know_others),
        cmocka_unit_test(it_is_said_again_while_it_lasts_less_and_less_often),
        cmocka_unit_test(company_ends_it_and_a_loss_begins_it_anew),
        cmocka_unit_test(the_words_count_what_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
