#include "cmd/launch/formation.h"
#include "tests/unit/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct formation f;

static enum rc health(size_t node, const char *json)
{
    return formation_take_health(&f, node, (const uint8_t *)json, strlen(json));
}

static enum rc peers(size_t node, const char *json)
{
    return formation_take_peers(&f, node, (const uint8_t *)json, strlen(json));
}

static void ready(size_t node, bool is_ready, const char *json)
{
    formation_take_ready(&f, node, is_ready, (const uint8_t *)json, strlen(json));
}

static int setup(void **state)
{
    (void)state;
    formation_init(&f, 3, false);
    assert_int_equal(health(0, "{\"uuid\":\"aa\"}"), RC_OK);
    assert_int_equal(health(1, "{\"uuid\":\"bb\"}"), RC_OK);
    assert_int_equal(health(2, "{\"uuid\":\"cc\"}"), RC_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    formation_fini(&f);
    return 0;
}

#define PEER(uuid, state) "{\"uuid\":\"" uuid "\",\"state\":\"" state "\"}"

static void it_is_complete_when_each_sees_all_others_alive_and_is_ready(void **state)
{
    (void)state;
    assert_true(formation_is_known(&f));
    assert_int_equal(peers(0, "{\"peers\":[" PEER("bb", "alive") "," PEER("cc", "alive") "]}"),
                     RC_OK);
    assert_int_equal(peers(1, "{\"peers\":[" PEER("aa", "alive") "," PEER("cc", "alive") "]}"),
                     RC_OK);
    assert_false(formation_is_complete(&f));
    assert_int_equal(peers(2, "{\"peers\":[" PEER("aa", "alive") "," PEER("bb", "alive") "]}"),
                     RC_OK);
    assert_false(formation_is_complete(&f));
    for (size_t node = 0; node < 3; node++) {
        assert_false(formation_is_complete(&f));
        ready(node, true, "{\"alive\":3}");
    }
    assert_true(formation_is_complete(&f));
    ready(1, true, "{\"alive\":7}"); /* others came meanwhile, on other hosts */
    assert_int_equal(f.nodes[1].alive, 6);
    ready(1, true, "{\"alive\":-1}");
    assert_int_equal(f.nodes[1].alive, 6);
    ready(2, false, "");
    assert_false(formation_is_complete(&f));
    ready(2, true, "");
    formation_forget(&f, 1);
    assert_false(formation_is_complete(&f));
    assert_false(formation_is_known(&f));
}

static void suspects_and_other_hosts_members_do_not_count(void **state)
{
    (void)state;
    assert_int_equal(peers(0, "{\"peers\":[" PEER("bb", "suspect") "," PEER("cc", "alive") "," PEER(
                                  "dd", "alive") "]}"),
                     RC_OK);
    assert_false(f.nodes[0].sees_all);
    assert_int_equal(f.nodes[0].seen, 1);
    assert_int_equal(f.nodes[0].alive, 2);
}

static void answers_that_are_none_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(peers(0, "{\"peers\":[" PEER("bb", "alive") "," PEER("cc", "alive") "]}"),
                     RC_OK);
    assert_int_equal(peers(0, "<html>"), RC_MALFORMED);
    assert_int_equal(peers(0, "{\"peers\":7}"), RC_MALFORMED);
    assert_int_equal(peers(0, ""), RC_MALFORMED);
    assert_true(f.nodes[0].sees_all);
    assert_int_equal(health(0, "{\"uuid\":7}"), RC_MALFORMED);
    assert_int_equal(health(0, "{\"uuid\":\"000000000000000000000000000000000000000000\"}"),
                     RC_MALFORMED);
    assert_string_equal(f.nodes[0].uuid, "aa");
}

static void where_peers_are_not_listed_it_is_complete_when_each_counts_as_many(void **state)
{
    (void)state;
    f.is_counted = true;
    for (size_t node = 0; node < 3; node++) {
        ready(node, true, "{\"alive\":2}");
        assert_false(f.nodes[node].sees_all);
        assert_int_equal(f.nodes[node].seen, 1);
        ready(node, false, "{\"alive\":3}");
        assert_true(f.nodes[node].sees_all);
        assert_false(formation_is_complete(&f));
        ready(node, true, "{\"alive\":4}");
    }
    assert_true(formation_is_complete(&f));
    assert_int_equal(f.nodes[0].seen, 2);
    assert_int_equal(f.nodes[0].alive, 3);
}

static void hear_peers(void *arg)
{
    (void)arg;
    const enum rc rc = peers(0, "{\"peers\":[" PEER("bb", "alive") "," PEER("cc", "alive") "]}");
    assert_int_equal(rc, failing_alloc_has_failed() ? RC_MALFORMED : RC_OK);
    assert_true(f.nodes[0].sees_all); /* as it said before */
}

static void an_answer_that_there_is_no_memory_for_changes_nothing(void **state)
{
    (void)state;
    assert_true(failing_alloc_each(hear_peers, NULL) > 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_complete_when_each_sees_all_others_alive_and_is_ready),
        TEST(suspects_and_other_hosts_members_do_not_count),
        TEST(where_peers_are_not_listed_it_is_complete_when_each_counts_as_many),
        TEST(answers_that_are_none_change_nothing),
        TEST(an_answer_that_there_is_no_memory_for_changes_nothing),
    };
    failing_alloc_hook();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
