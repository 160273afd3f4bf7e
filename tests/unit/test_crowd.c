#include "gossip/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { VOTES_MAX = 12 };

struct crowd_case {
    const char *what;
    uint32_t count;
    struct {
        int64_t offset_s;
        bool has_records;
    } votes[VOTES_MAX]; /* the index is the uuid */
    uint32_t want_count;
    uint32_t want_lead; /* index */
};

static const struct crowd_case cases[] = {
    {"one", 1, {{5, false}}, 1, 0},
    {"three against one of smaller uuid", 4, {{-120, true}, {0, true}, {0, true}, {1, true}}, 3, 1},
    {"a minute is together", 3, {{0, false}, {60, false}, {30, false}}, 3, 0},
    {"more than a minute is not", 3, {{0, false}, {61, false}, {61, false}}, 2, 1},
    {"a chain is cut where most are",
     4,
     {{0, false}, {50, false}, {100, false}, {90, false}},
     3,
     1},
    {"in a group records lead before uuids", 3, {{0, false}, {0, true}, {0, true}}, 3, 1},
    {"of one against one the one with records", 2, {{0, false}, {999, true}}, 1, 1},
    {"of two with records the smaller uuid", 2, {{999, true}, {0, true}}, 1, 0},
    {"of two without records likewise", 2, {{-999, false}, {0, false}}, 1, 0},
    {"of two against two by the best in each",
     4,
     {{0, false}, {9999, true}, {0, true}, {9999, false}},
     2,
     1},
    {"ten liars that each say something else",
     12,
     {{-999999, true},
      {999, true},
      {2999, true},
      {3999, true},
      {4999, true},
      {5999, true},
      {6999, true},
      {7999, true},
      {8999, true},
      {INT64_C(315360000), true},
      {0, false},
      {0, false}},
     2,
     10},
};

static void the_largest_group_leads_then_records_then_the_smallest_uuid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct crowd_case *c = &cases[i];
        struct member members[VOTES_MAX] = {{.tag = 0}};
        struct crowd_vote votes[VOTES_MAX];
        struct crowd_group group;
        for (uint32_t v = 0; v < c->count; v++) {
            members[v].uuid.bytes[0] = (uint8_t)(v + 1);
            votes[v] = (struct crowd_vote){
                .offset_s = c->votes[v].offset_s,
                .member = &members[v],
                .has_records = c->votes[v].has_records,
            };
        }
        crowd_largest(votes, c->count, &group);
        if (group.count != c->want_count || group.lead.member != &members[c->want_lead]) {
            fail_msg("%s: %u led by %td", c->what, group.count, group.lead.member - members);
        }
    }
}

static void nobody_is_no_group(void **state)
{
    (void)state;
    struct crowd_group group = {.count = 7};
    crowd_largest(NULL, 0, &group);
    assert_int_equal(group.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_group_leads_then_records_then_the_smallest_uuid),
        cmocka_unit_test(nobody_is_no_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
