#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/discovery/claim_check.h"
#include "net/discovery/health_answer.h"
#include "net/out/fetch.h"
#include "own_clock.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

static const struct uuid low = {{1}}, middle = {{2}}, high = {{3}};

static void claiming_answer_is_read_back(void **state)
{
    (void)state;
    char text[256];
    struct health_answer answer;
    const size_t len = health_answer_write_claiming(&middle, 8081, text, sizeof(text));
    assert_int_equal(len, strlen(text));
    assert_int_equal(health_answer_parse(text, len, &answer), RC_OK);
    assert_true(uuid_equal(&answer.uuid, &middle));
    assert_true(answer.is_claiming);
    assert_string_equal(answer.name, "");
}

static void health_of_a_node_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"status\":\"healthy\",\"node_id\":\"flux-node-1\","
        "\"uuid\":\"03000000000000000000000000000000\",\"port\":8081,\"uptime\":\"1s\"}";
    struct health_answer answer;
    assert_int_equal(health_answer_parse(text, strlen(text), &answer), RC_OK);
    assert_true(uuid_equal(&answer.uuid, &high));
    assert_false(answer.is_claiming);
    assert_string_equal(answer.name, "flux-node-1");
}

static void names_that_are_not_printable_are_not_taken(void **state)
{
    (void)state;
    static const char text[] = "{\"status\":\"healthy\",\"node_id\":\"a\\u000ab\","
                               "\"uuid\":\"03000000000000000000000000000000\"}";
    struct health_answer answer;
    assert_int_equal(health_answer_parse(text, strlen(text), &answer), RC_OK);
    assert_string_equal(answer.name, "");
}

static void other_programs_answers_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "ok",
        "null",
        "[]",
        "{}",
        "{\"status\":\"healthy\"}",
        "{\"uuid\":\"03000000000000000000000000000000\"}",
        "{\"status\":\"healthy\",\"uuid\":\"0300\"}",
        "{\"status\":\"healthy\",\"uuid\":\"0300000000000000000000000000000g\"}",
        "{\"status\":\"healthy\",\"uuid\":\"030000000000000000000000000000000\"}",
        "{\"status\":\"healthy\",\"uuid\":3}",
        "{\"status\":1,\"uuid\":\"03000000000000000000000000000000\"}",
    };
    struct health_answer answer;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(health_answer_parse(cases[i], strlen(cases[i]), &answer), RC_MALFORMED);
    }
    assert_int_equal(health_answer_parse(NULL, 0, &answer), RC_MALFORMED);
}

static void claim_is_kept_when_itself_or_no_node_answers(void **state)
{
    (void)state;
    const struct health_answer self = {.uuid = middle};
    assert_int_equal(claim_check_judge(&middle, NULL, 0), CLAIM_KEEP);
    assert_int_equal(claim_check_judge(&middle, &self, 0), CLAIM_KEEP);
}

static void claim_is_left_to_a_settled_node_of_any_uuid(void **state)
{
    (void)state;
    const struct health_answer lower = {.uuid = low}, higher = {.uuid = high};
    assert_int_equal(claim_check_judge(&middle, &lower, 0), CLAIM_LEAVE);
    assert_int_equal(claim_check_judge(&middle, &higher, 0), CLAIM_LEAVE);
}

static void of_two_that_claim_at_once_the_lower_uuid_keeps(void **state)
{
    (void)state;
    const struct health_answer lower = {.uuid = low, .is_claiming = true};
    const struct health_answer higher = {.uuid = high, .is_claiming = true};
    assert_int_equal(claim_check_judge(&middle, &lower, 0), CLAIM_LEAVE);
    assert_int_equal(claim_check_judge(&middle, &higher, 0), CLAIM_AGAIN);
    assert_int_equal(claim_check_judge(&middle, &higher, CLAIM_ATTEMPTS_MAX), CLAIM_KEEP);
}

/* ---- The check itself, against answers of the test ---- */

enum { PORT = 8081, ANSWERS_MAX = 16 };

struct rig {
    struct event_base *base;
    bool has_no_fetch;                /* there is no memory for one */
    bool is_own;                      /* the domain's address is this host's */
    const char *answers[ANSWERS_MAX]; /* to one question after the other; NULL: nobody answers */
    unsigned asked;
    uint64_t asked_at_us[ANSWERS_MAX];
    char host[64];
    unsigned done_count;
    enum claim_verdict verdict;
    struct uuid other;
};

static struct rig rig;
static void (*tell_answer)(void *arg, const struct fetch_answer *answer);

static void on_answer_due(evutil_socket_t fd, short what, void *arg)
{
    const char *text = rig.answers[rig.asked - 1];
    const struct fetch_answer answer = {.rc = text != NULL ? RC_OK : RC_REFUSED,
                                        .error = "",
                                        .status = text != NULL ? 503 : 0,
                                        .body = (const uint8_t *)text,
                                        .body_len = text != NULL ? strlen(text) : 0};
    (void)fd;
    (void)what;
    tell_answer(arg, &answer);
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
struct fetch *__wrap_fetch_start(struct event_base *base, struct dns *dns,
                                 const struct fetch_request *request,
                                 void (*done)(void *arg, const struct fetch_answer *answer),
                                 void *arg);
struct fetch *__wrap_fetch_start(struct event_base *base, struct dns *dns,
                                 const struct fetch_request *request,
                                 void (*done)(void *arg, const struct fetch_answer *answer),
                                 void *arg)
{
    static const struct timeval now = {0};
    static int fetch;
    assert_null(dns);
    assert_string_equal(request->method, "GET");
    assert_string_equal(request->target, "/health");
    assert_int_equal(request->port, PORT);
    (void)snprintf(rig.host, sizeof(rig.host), "%s", request->host);
    if (rig.has_no_fetch) {
        return NULL;
    }
    rig.asked_at_us[rig.asked++] = own_clock_us;
    tell_answer = done;
    assert_int_equal(event_base_once(base, -1, EV_TIMEOUT, on_answer_due, arg, &now), 0);
    return (struct fetch *)(void *)&fetch;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */

static bool is_own(const struct addr *addr)
{
    (void)addr;
    return rig.is_own;
}

static void on_verdict(void *arg, enum claim_verdict verdict, const struct health_answer *other)
{
    assert_ptr_equal(arg, &rig);
    rig.done_count++;
    rig.verdict = verdict;
    rig.other = other != NULL ? other->uuid : (struct uuid){{0}};
}

static int setup(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    own_clock_is_skipping = true;
    rig.base = event_base_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    event_base_free(rig.base);
    return 0;
}

/* Runs the check of a domain to its one verdict. */
static void check(const char *domain, enum claim_verdict expected)
{
    static struct node_config node;
    (void)snprintf(node.discovery_domain, sizeof(node.discovery_domain), "%s", domain);
    struct claim_check *c =
        claim_check_start(rig.base, &node, PORT, &middle, is_own, on_verdict, &rig);
    assert_non_null(c);
    rig.done_count = 0;
    while (rig.done_count == 0) {
        assert_int_equal(event_base_loop(rig.base, EVLOOP_ONCE), 0);
    }
    claim_check_free(c);
    assert_int_equal(rig.done_count, 1);
    assert_int_equal(rig.verdict, expected);
}

#define CLAIMING(first) \
    "{\"status\":\"claiming\",\"uuid\":\"" first "000000000000000000000000000000\"}"
#define SETTLED "{\"status\":\"healthy\",\"uuid\":\"03000000000000000000000000000000\"}"

static void who_answers_at_the_domains_one_address_decides(void **state)
{
    (void)state;
    check("192.0.2.1", CLAIM_KEEP); /* nobody */
    assert_string_equal(rig.host, "192.0.2.1");
    assert_int_equal(rig.asked, 1);
    rig.asked = 0;
    rig.answers[0] = "not a node";
    check("192.0.2.1", CLAIM_KEEP);
    rig.asked = 0;
    rig.answers[0] = SETTLED;
    check("192.0.2.1", CLAIM_LEAVE);
    assert_true(uuid_equal(&rig.other, &high));
}

static void this_hosts_own_address_and_several_are_no_question(void **state)
{
    (void)state;
    rig.is_own = true;
    check("192.0.2.1", CLAIM_KEEP);
    rig.is_own = false;
    check("localhost", CLAIM_KEEP); /* one of each family */
    assert_int_equal(rig.asked, 0);
}

static void one_that_claims_too_and_must_leave_is_asked_again_after_a_moment(void **state)
{
    (void)state;
    rig.answers[0] = rig.answers[1] = CLAIMING("03");
    rig.answers[2] = NULL;
    check("192.0.2.1", CLAIM_KEEP);
    assert_int_equal(rig.asked, 3);
    assert_true(rig.asked_at_us[1] - rig.asked_at_us[0] >= 100000);
    assert_true(rig.asked_at_us[1] - rig.asked_at_us[0] < 200000);
    rig.asked = 0;
    rig.answers[1] = SETTLED;
    check("192.0.2.1", CLAIM_LEAVE);
    rig.asked = 0;
    for (unsigned i = 0; i < ANSWERS_MAX; i++) {
        rig.answers[i] = CLAIMING("03");
    }
    check("192.0.2.1", CLAIM_KEEP);
    assert_int_equal(rig.asked, CLAIM_ATTEMPTS_MAX + 1);
}

static void what_cannot_be_asked_leaves_the_port_to_us(void **state)
{
    (void)state;
    rig.has_no_fetch = true;
    check("192.0.2.1", CLAIM_KEEP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claiming_answer_is_read_back),
        cmocka_unit_test(health_of_a_node_is_read),
        cmocka_unit_test(names_that_are_not_printable_are_not_taken),
        cmocka_unit_test(other_programs_answers_are_refused),
        cmocka_unit_test(claim_is_kept_when_itself_or_no_node_answers),
        cmocka_unit_test(claim_is_left_to_a_settled_node_of_any_uuid),
        cmocka_unit_test(of_two_that_claim_at_once_the_lower_uuid_keeps),
        TEST(who_answers_at_the_domains_one_address_decides),
        TEST(this_hosts_own_address_and_several_are_no_question),
        TEST(one_that_claims_too_and_must_leave_is_asked_again_after_a_moment),
        TEST(what_cannot_be_asked_leaves_the_port_to_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
